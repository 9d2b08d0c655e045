"""Addresses as they may be shown and kept."""

from urllib.parse import urlsplit


def without_secrets(url: str) -> str:
    """An address without the user name, password and query that it may carry."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
