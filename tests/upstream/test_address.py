"""How a URL is taken apart."""

import pytest

from runapi.upstream.address import Address, Origin


@pytest.mark.parametrize(
    ("url", "origin", "host_header", "target"),
    [
        ("https://api.test/v1/x", (True, "api.test", 443), "api.test", "/v1/x"),
        ("http://api.test", (False, "api.test", 80), "api.test", "/"),
        ("http://api.test:80/", (False, "api.test", 80), "api.test", "/"),
        ("https://api.test:80/", (True, "api.test", 80), "api.test:80", "/"),
        ("http://API.Test:8080/V1?a=%2B&b", (False, "api.test", 8080), "api.test:8080", "/V1?a=%2B&b"),
        ("http://[::1]:8080/x", (False, "::1", 8080), "[::1]:8080", "/x"),
        ("https://[2001:DB8::1]/x", (True, "2001:db8::1", 443), "[2001:db8::1]", "/x"),
        ("https://api.test./x", (True, "api.test.", 443), "api.test", "/x"),
        (
            "https://bücher.test/ä?ö=/#part",
            (True, "xn--bcher-kva.test", 443),
            "xn--bcher-kva.test",
            "/%C3%A4?%C3%B6=/",
        ),
        ("https://user:secret@api.test/x", (True, "api.test", 443), "api.test", "/x"),
        ("https://api.test/a%20b/;c=d,e:f@g", (True, "api.test", 443), "api.test", "/a%20b/;c=d,e:f@g"),
    ],
)
def test_url_is_taken_apart(url, origin, host_header, target):
    assert Address.of(url) == Address(Origin(*origin), host_header, target)


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.test", "/v1", "ftp://api.test/", "http://", "http:///v1", "http://[::1", "http://a:b/"),
        *("http://api.test:65536/", "http://api.test/a b", "http://api.test/\r\nx: y", "http://api.test\t/"),
        f"http://{'ä' * 64}.test/",
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError):
        Address.of(url)
