"""The studies of ClinicalTrials.gov, version 2 of the interface."""

from typing import Any

from core.remote.adapters import reading
from core.remote.adapters.reading import Found
from core.remote.client import Client
from core.remote.spec import ClinicalTrials
from core.types import Document

PAGE = 1000
"""Studies of one answer at most."""
FIELDS = "NCTId,BriefTitle,BriefSummary"
_ID, _TITLE, _TEXT = (
    "protocolSection.identificationModule.nctId",
    "protocolSection.identificationModule.briefTitle",
    "protocolSection.descriptionModule.briefSummary",
)


class ClinicalTrialsAdapter:
    """All studies."""

    def __init__(self, spec: ClinicalTrials, client: Client) -> None:
        self._spec, self._client = spec, client

    def find(self, query: str, k: int) -> list[Found]:
        """The studies for `query`, best first; over several pages where one does not hold them."""
        documents: list[Document] = []
        asked: dict[str, Any] = {f"query.{self._spec.area}": query, "fields": FIELDS, "format": "json"}
        while True:
            page, token = self._client.get({**asked, "pageSize": min(k - len(documents), PAGE)}, self._read)
            documents += page
            if not token or not page or len(documents) >= k:
                return reading.ranked(documents)
            asked["pageToken"] = token

    def _read(self, answer: bytes) -> tuple[list[Document], str | None]:
        value, name = reading.parsed(answer), self._spec.service
        found = reading.items(value, "studies", name)
        token = reading.at(value, "nextPageToken")
        return [reading.document(item, name, id_at=_ID, title_at=_TITLE, text_at=_TEXT) for item in found], token
