"""Read the catalogue: the built-in models, and over them the operator's own file."""

from pathlib import Path

from runapi.core.catalog import Catalog
from runapi.wire.catalog_file import CatalogFault, package_catalog, read_catalog

OWN_FILE = "models.yaml"


def load_catalog(home: Path) -> Catalog:
    """Read the built-in catalogue, and over it the models.yaml of the data folder where there is one.

    Raises:
        CatalogFault: the file cannot be read, or has faults; each is named with its line.
    """
    path = home / OWN_FILE
    try:
        text = path.read_text("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):  # no data folder is the store's to report
        return package_catalog()
    except OSError as fault:
        raise CatalogFault((f"{path}: cannot be read: {fault.strerror}",)) from None
    except UnicodeDecodeError:
        raise CatalogFault((f"{path}: is not UTF-8 text",)) from None
    return read_catalog(text, str(path), package_catalog())
