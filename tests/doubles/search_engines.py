"""The search engines that `core.remote` asks, over a few articles, in the shapes that the real ones answer in.

    python tests/doubles/search_engines.py

Prints its port as the first line; `POST /faults` and `GET /log` as reward_server.py has them. Further faults:
`backend` (PubMed's own trouble, told with status 200), `entities` (XML that grows), `shards` (half of an index).

`POST /search`, `GET /search`                {query, top_k} -> results: a retriever of one's own
`POST /eutils/esearch.fcgi`, `/efetch.fcgi`  PubMed
`GET /api/v2/studies`                        ClinicalTrials.gov, in pages of 2 at most
`POST /articles/_search`                     Elasticsearch

All but `multi_match` and `match` of Elasticsearch parse AND, OR and NOT, and refuse brackets that do not close.
"""

import json
import re
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from reward_server import Handler, main

ARTICLES = {
    "101": ("Metformin in type 2 diabetes", "Metformin lowers glucose. It is old & cheap < others."),
    "102": ("Insulin in type 1 diabetes", "Insulin keeps glucose in bounds."),
    "103": ("Aspirin after stroke", "Aspirin halves the risk of another stroke."),
    "104": ("Statins and the heart", "Statins lower cholesterol and protect the heart."),
    "105": ("Exercise for the heart", "Exercise improves health of the heart, and glucose."),
    "106": ("Diabetes: a book", "A chapter on early signs of diabetes."),
}
PAGE = 2
DTD = (
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">'
)
BOMB = (
    '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]><PubmedArticleSet><PubmedArticle><PMID>&y;</PMID>'
    "</PubmedArticle></PubmedArticleSet>"
)


class Malformed(Exception):
    pass


def boolean(query):
    """Ids by falling number of query words in the article, then by id; words side by side must both be there."""
    tokens = re.findall(r"\(|\)|[^\s()]+", query.replace('"', " "))

    def either():
        found = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            found |= both()
        return found

    def both():
        found = one()
        while tokens and tokens[0] not in {"OR", ")"}:
            operator = tokens.pop(0) if tokens[0] in {"AND", "NOT"} else "AND"
            found = found - one() if operator == "NOT" else found & one()
        return found

    def one():
        if not tokens or tokens[0] in {"AND", "OR", "NOT", ")"}:
            raise Malformed
        token = tokens.pop(0)
        if token != "(":
            return {id_ for id_ in ARTICLES if token.lower() in words(id_)}
        found = either()
        if not tokens or tokens.pop(0) != ")":
            raise Malformed
        return found

    found = either()
    if tokens:
        raise Malformed
    return ranked(query, found)


def words(id_):
    return re.findall(r"\w+", " ".join(ARTICLES[id_]).lower())


def ranked(query, ids):
    count = {id_: sum(word in words(id_) for word in query.lower().split()) for id_ in ids}
    return sorted((id_ for id_ in ids if count[id_]), key=lambda id_: (-count[id_], id_))


class Engines(Handler):
    def do_GET(self):
        if self.path == "/log":
            return super().do_GET()
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        return self.faulty(asked, self.trials if parts.path == "/api/v2/studies" else self.own)

    def do_POST(self):
        form = self.path.startswith("/eutils/")
        if not form and self.path not in {"/search", "/articles/_search"}:
            return super().do_POST()
        length = int(self.headers["Content-Length"])
        if form:
            asked = dict(parse_qsl(self.rfile.read(length).decode()))
            return self.faulty(asked, self.esearch if self.path.endswith("esearch.fcgi") else self.efetch)
        asked = json.loads(self.rfile.read(length))
        return self.faulty(asked, self.own if self.path == "/search" else self.elasticsearch)

    def own(self, asked, fault):
        try:
            ids = boolean(asked["query"])[: int(asked["top_k"])]
        except Malformed:
            return 422, {"detail": "the brackets do not close"}
        found = [{"id": id_, "text": ARTICLES[id_][1], "score": 9 - rank} for rank, id_ in enumerate(ids)]
        if fault == "no id":
            found = [{"text": "x"}]
        return {"results": found}

    def esearch(self, asked, fault):
        if fault == "backend":
            return {"header": {}, "esearchresult": {"ERROR": "Search Backend failed: Database is not available"}}
        try:
            ids = boolean(asked["term"])
        except Malformed:
            return {"header": {}, "esearchresult": {"ERROR": "Invalid query: parentheses do not match"}}
        found = ids[: int(asked["retmax"])]
        result = {"count": str(len(ids)), "retmax": str(len(found)), "retstart": "0", "idlist": found}
        return {"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result}

    def efetch(self, asked, fault):
        if fault == "entities":
            return BOMB.encode()
        known = [id_ for id_ in asked["id"].split(",") if id_ in ARTICLES]
        # Not in the order that was asked: nobody promises it.
        body = "".join(book(id_) if id_ == "106" else article(id_) for id_ in sorted(known, reverse=True))
        return f'<?xml version="1.0" ?>{DTD}<PubmedArticleSet>{body}</PubmedArticleSet>'.encode()

    def trials(self, asked, _):
        try:
            ids = boolean(asked["query.term"])
        except Malformed:
            return 400, b"Too complicated or malformed query: parentheses"
        start = int(asked.get("pageToken", "0"))
        end = start + min(int(asked["pageSize"]), PAGE)
        studies = [study(id_) for id_ in ids[start:end]]
        return {"studies": studies} | ({"nextPageToken": str(end)} if end < len(ids) else {})

    def elasticsearch(self, asked, fault):
        ((kind, inner),) = asked["query"].items()
        query = next(iter(inner.values()))["query"] if kind == "match" else inner["query"]
        try:
            ids = boolean(query) if kind == "query_string" else ranked(query, ARTICLES)
        except Malformed:
            reason = f"Failed to parse query [{query}]"
            cause = {"type": "query_shard_exception", "reason": reason}
            error = {"root_cause": [cause], "type": "search_phase_execution_exception", "reason": "all shards failed"}
            return 400, {"error": error, "status": 400}
        found = [
            {
                "_index": "articles",
                "_id": f"es{id_}",
                "_score": 9.0 - rank,
                "_source": {"pmid": int(id_), "title": ARTICLES[id_][0], "text": ARTICLES[id_][1]},
            }
            for rank, id_ in enumerate(ids[: asked["size"]])
        ]
        shards = {"total": 2, "successful": 2, "skipped": 0, "failed": 1 if fault == "shards" else 0}
        return {"took": 1, "timed_out": False, "_shards": shards, "hits": {"max_score": 9.0, "hits": found}}


def article(id_):
    title, text = map(escape, ARTICLES[id_])
    first, _, rest = text.partition(". ")
    parts = f'<AbstractText Label="RESULTS" NlmCategory="RESULTS">{first}.</AbstractText>' if rest else ""
    parts += f"<AbstractText>{rest or first}</AbstractText>"
    return f"""<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{id_}</PMID>
<Article PubModel="Print"><Journal><Title>A Journal</Title></Journal><ArticleTitle><i>{title.split()[0]}</i>
{" ".join(title.split()[1:])}</ArticleTitle><Abstract>{parts}</Abstract></Article>
<OtherAbstract Type="plain"><AbstractText>another language</AbstractText></OtherAbstract>
<CommentsCorrectionsList><CommentsCorrections><PMID Version="1">999</PMID></CommentsCorrections>
</CommentsCorrectionsList></MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="pubmed">{id_}</ArticleId>
</ArticleIdList></PubmedData></PubmedArticle>"""


def book(id_):
    title, text = map(escape, ARTICLES[id_])
    return f"""<PubmedBookArticle><BookDocument><PMID Version="1">{id_}</PMID><Book><BookTitle>B</BookTitle></Book>
<ArticleTitle>{title}</ArticleTitle><Abstract><AbstractText>{text}</AbstractText></Abstract></BookDocument>
</PubmedBookArticle>"""


def study(id_):
    title, text = ARTICLES[id_]
    identification = {"nctId": f"NCT00000{id_}", "briefTitle": title}
    return {"protocolSection": {"identificationModule": identification, "descriptionModule": {"briefSummary": text}}}


if __name__ == "__main__":
    main(Engines)
