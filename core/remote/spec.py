"""How a recipe names a search engine of others. Imports nothing heavy."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.recipe import Neutral, Part


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no address; one is https://search.example.com/search")
    if parts.username or parts.password:
        raise ValueError("an address holds no key: name the environment variable that does, by `key_env`")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_address), Neutral()]


class Engine(Part):
    """What all of them have: how they may be pushed, and what is remembered."""

    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """Limit of the service, held at an even rate. null: none."""
    concurrency: Annotated[PositiveInt, Neutral()] = 4
    """Requests under way at most."""
    timeout_seconds: Annotated[PositiveFloat, Neutral()] = 30.0
    """How long one answer may take."""
    retries: Annotated[NonNegativeInt, Neutral()] = 5
    """Further tries after a lost connection, a time-out, 429 or 5xx; `Retry-After` is honoured."""
    give_up_seconds: Annotated[PositiveFloat, Neutral()] = 120.0
    """Bound over all tries and pauses of one request; after it the engine has failed."""
    key_env: Annotated[tuple[str, ...], Neutral()] = ()
    """Environment variables that may hold the key, in this order; none set: none is sent."""
    remembered_hits: Annotated[NonNegativeInt, Neutral()] = 1_000_000
    """Documents that are remembered of earlier answers, the latest; the same query is not asked again."""
    cache: Annotated[Path | None, Neutral()] = None
    """File that keeps answers from one run to the next; delete it when the engine has changed. null: none."""

    @property
    def parses_operators(self) -> bool:
        """Whether AND, OR and NOT are operators to it."""
        raise NotImplementedError

    @property
    def deaf(self) -> tuple[str, ...]:
        """Its name, where it takes operators for words."""
        return () if self.parses_operators else (f"the engine `{self.service}`",)

    @property
    def service(self) -> str:
        """What it is called."""
        raise NotImplementedError

    @property
    def deepest(self) -> int | None:
        """Most documents that it gives for a query. None: nobody knows."""
        return None

    @property
    def rate(self) -> int | None:
        """Requests that it takes in a minute. None: any number."""
        return self.requests_per_minute


class Http(Engine):
    """Any engine that takes a query and a number of documents as JSON; the defaults are source A's own retriever."""

    type: Literal["http"]
    url: Url
    """Address that is asked."""
    method: Literal["GET", "POST"] = "POST"
    """GET puts query and number into the address."""
    query_field: str = "query"
    """Field of the request that holds the query."""
    k_field: str = "top_k"
    """Field of the request that holds the number of documents."""
    results: str = "results"
    """Dotted path to the list of documents in the answer; `hits.hits`. Empty: the answer is the list."""
    id: str = "id"
    """Dotted path to the id in a document; empty: the document is its id."""
    text: str | None = "text"
    """Dotted path to the text. null: there is none."""
    title: str | None = None
    """Dotted path to the title. null: there is none."""
    score: str | None = "score"
    """Dotted path to the score. null: there is none, the rank stands for it."""
    boolean: bool = False
    """Whether it parses AND, OR and NOT."""

    @property
    def parses_operators(self) -> bool:
        """As the recipe says."""
        return self.boolean

    @property
    def service(self) -> str:
        """Its host: many are of this type."""
        return urlsplit(self.url).netloc


class PubMed(Engine):
    """PubMed by NCBI's E-utilities: esearch finds, efetch brings titles and abstracts."""

    type: Literal["pubmed"]
    url: Url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
    """Folder of esearch.fcgi and efetch.fcgi."""
    key_env: Annotated[tuple[str, ...], Neutral()] = ("NCBI_API_KEY",)
    """Environment variables that may hold the key, in this order; none set: none is sent, and the limit is lower."""
    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """Limit, held at an even rate. null: NCBI's own, 3 a second, and 10 with a key."""
    tool: Annotated[str, Neutral()] = "dr"
    """Name of the program, by which NCBI knows who asks."""
    email: Annotated[str | None, Neutral()] = None
    """Address of whoever is to be written to before NCBI locks the program out. null: none is sent."""
    sort: Literal["relevance", "pub_date"] = "relevance"
    """Order of the documents; pub_date: the latest first."""
    until: Annotated[str | None, Field(pattern=r"^\d{4}(/\d{2}(/\d{2})?)?$")] = None
    """Last day of publication, as `2020/12/31`; keeps out what is newer than the judgements. null: today."""
    texts: bool = True
    """Whether titles and abstracts are fetched; without them a reward that needs ids alone costs half the requests."""

    @property
    def parses_operators(self) -> bool:
        """It does."""
        return True

    @property
    def service(self) -> str:
        """PubMed."""
        return "PubMed"

    @property
    def deepest(self) -> int:
        """As esearch has it for PubMed."""
        return 9999

    @property
    def rate(self) -> int:
        """As the recipe says, or NCBI for one without a key."""
        return self.requests_per_minute or 180


class ClinicalTrials(Engine):
    """The studies of ClinicalTrials.gov, by version 2 of its interface. It takes no key."""

    type: Literal["clinical_trials"]
    url: Url = "https://clinicaltrials.gov/api/v2/studies"
    """Address of the studies."""
    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = 50
    """Limit, held at an even rate. null: none."""
    area: Literal["term", "cond", "intr", "titles", "outc"] = "term"
    """Where the query is looked for: anywhere, conditions, interventions, titles, outcome measures."""

    @property
    def parses_operators(self) -> bool:
        """It does."""
        return True

    @property
    def service(self) -> str:
        """ClinicalTrials.gov."""
        return "ClinicalTrials.gov"


class Elasticsearch(Engine):
    """An index of Elasticsearch or OpenSearch, by `_search`."""

    type: Literal["elasticsearch"]
    url: Url
    """Address of the cluster."""
    index: str
    """Name of the index, or of several with commas between."""
    query: Literal["match", "multi_match", "query_string"] = "multi_match"
    """How the words are put: in one field, in several, or by the language that has AND, OR and NOT."""
    fields: Annotated[tuple[str, ...], Field(min_length=1)] = ("title", "text")
    """Fields that are searched; `title^2` counts one more."""
    id: str = "_id"
    """Dotted path to the id in a hit; `_source.id`."""
    text: str | None = "_source.text"
    """Dotted path to the text. null: there is none."""
    title: str | None = "_source.title"
    """Dotted path to the title. null: there is none."""
    authorization: Annotated[Literal["ApiKey", "Bearer", "Basic"], Neutral()] = "ApiKey"
    """What kind of key `key_env` holds; for Basic it is `user:password`."""

    @model_validator(mode="after")
    def _one_field(self) -> Self:
        if self.query == "match" and len(self.fields) > 1:
            raise ValueError("`query: match` looks in one field: name it in `fields`, or take `multi_match`")
        return self

    @property
    def parses_operators(self) -> bool:
        """Only its query language does."""
        return self.query == "query_string"

    @property
    def service(self) -> str:
        """Its kind and the index."""
        return f"Elasticsearch/{self.index}"

    @property
    def deepest(self) -> int:
        """As `index.max_result_window` is, where nobody has changed it."""
        return 10_000


AnyEngine = Annotated[Http | PubMed | ClinicalTrials | Elasticsearch, Field(discriminator="type")]
