"""What the store refuses or fails at. Each message says what to do next, and may be shown to the operator."""


class StoreFault(Exception):  # noqa: N818 - a floor's faults are named for what happened
    """The root of everything the store raises on purpose."""


class HomeInUse(StoreFault):
    """Another process holds the data folder."""


class HomeUnusable(StoreFault):
    """The data folder, or a file in it, cannot be made or kept private."""


class NewerDatabase(StoreFault):
    """The database was written by a newer version of RunAPI."""


class StoreFailed(StoreFault):
    """The database could not be read or written: full disk, damaged file, lost permission."""


class StoreBroken(StoreFailed):
    """The disk failed or the file is damaged: nothing that is written from here on can be trusted."""


class DatabaseUnusable(StoreFault):
    """The database's URL is not one that RunAPI can use."""


class SecretUnusable(StoreFault):
    """secret.key is missing, damaged, or belongs to another database."""


class SealBroken(StoreFault):
    """A sealed value was changed, moved or sealed under another master key."""


class AlreadyExists(StoreFault):
    """The name is taken."""


class NotFound(StoreFault):
    """Nothing has that name or id."""


class Ambiguous(StoreFault):
    """More than one thing fits."""


class LedgerUnavailable(StoreFault):
    """The ledger could not be written: nothing was acknowledged, and what was asked may be asked again."""


class LedgerDamaged(StoreFault):
    """The books contradict themselves."""


class LedgerFenced(StoreFault):
    """Another process took over as this node; this one must stop."""
