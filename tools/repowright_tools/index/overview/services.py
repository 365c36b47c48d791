"""The services that a repository needs beside its own code, as compose files, CI and settings say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from repowright_tools.index.manifests.yaml_outline import Entry, flow_items, outline
from repowright_tools.index.overview.place import Place
from repowright_tools.index.paths import name_of
from repowright_tools.index.tree import Tree

_MOST_FILES = 60
_MOST_SERVICES = 40
_MOST_CHARACTERS = 400_000  # of a file
_MOST_FOUND = 200  # in a file
_MOST_PLACES = 5  # of a service

_COMPOSE = re.compile(r"(?:[^/]+/){0,2}(?:docker-)?compose[\w.-]{0,60}\.ya?ml", re.IGNORECASE)
_CI = re.compile(
    r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml|\.gitlab/ci/[^/]+\.ya?ml|\.circleci/[^/]+\.ya?ml|\.travis\.yml"
    r"|bitbucket-pipelines\.yml|\.drone\.yml|azure-pipelines\.ya?ml"
)
_ENVIRONMENT = re.compile(
    r"(?:[^/]+/){0,2}(?:\.env\.(?:example|sample|template|dist|test|ci)|(?:example|sample)\.env|env\.(?:example|sample))",
    re.IGNORECASE,
)
_SETTINGS = re.compile(
    r"(?:[^/]+/){0,6}(?:settings(?:/[\w-]{1,40})?\.py|config/(?:database|cable|mongoid|cache)\.ya?ml"
    r"|application(?:-[\w-]{1,40})?\.(?:properties|ya?ml)|alembic\.ini|schema\.prisma|knexfile\.[jt]s|ormconfig\.json)"
)

_BY_WORD = {  # what images, URL schemes and adapters are called: the product
    "postgres": "PostgreSQL", "postgresql": "PostgreSQL", "postgis": "PostgreSQL", "pgvector": "PostgreSQL",
    "timescaledb": "PostgreSQL", "psycopg": "PostgreSQL", "psycopg2": "PostgreSQL", "asyncpg": "PostgreSQL",
    "mysql": "MySQL", "mysql2": "MySQL", "mariadb": "MariaDB", "redis": "Redis", "rediss": "Redis",
    "valkey": "Valkey", "memcached": "Memcached", "mongo": "MongoDB", "mongodb": "MongoDB",
    "elasticsearch": "Elasticsearch", "opensearch": "OpenSearch", "rabbitmq": "RabbitMQ", "amqp": "RabbitMQ",
    "amqps": "RabbitMQ", "kafka": "Kafka", "redpanda": "Redpanda", "zookeeper": "ZooKeeper", "nats": "NATS",
    "minio": "MinIO", "localstack": "LocalStack", "azurite": "Azurite", "mailhog": "MailHog", "mailpit": "Mailpit",
    "maildev": "MailDev", "mssql": "SQL Server", "sqlserver": "SQL Server", "oracle": "Oracle Database",
    "cassandra": "Cassandra", "clickhouse": "ClickHouse", "couchdb": "CouchDB", "neo4j": "Neo4j", "consul": "Consul",
    "vault": "Vault", "selenium": "Selenium", "keycloak": "Keycloak", "solr": "Solr", "meilisearch": "Meilisearch",
    "typesense": "Typesense", "qdrant": "Qdrant", "weaviate": "Weaviate", "chroma": "Chroma", "milvus": "Milvus",
    "ollama": "Ollama", "dynamodb": "DynamoDB", "influxdb": "InfluxDB", "prometheus": "Prometheus",
    "grafana": "Grafana", "jaeger": "Jaeger", "etcd": "etcd", "nginx": "nginx", "traefik": "Traefik", "caddy": "Caddy",
    "cockroachdb": "CockroachDB", "cockroach": "CockroachDB",
}  # fmt: skip
_CLIENT_ONLY = frozenset({"vault", "oracle", "consul"})  # too common a word to be believed in a setting's name
_WORD = re.compile(r"[a-z]+\d?(?![a-z])")
_NAME = re.compile(r"^\s{0,8}(?:export\s)?([A-Z][A-Z0-9_]{1,80})\s?=(.{0,300})", re.MULTILINE)
_SCHEME = re.compile(r"\b(?:jdbc:)?([a-z][a-z0-9]{2,20})(?:\+\w{1,20})?://")
_SETTING = re.compile(
    r"django\.db\.backends\.(?P<backend>postgresql|mysql|oracle)|\badapter:\s?[\"']?(?P<adapter>\w{2,30})"
    r"|\bprovider\s{0,4}=\s?\"(?P<provider>postgresql|mysql|sqlserver|mongodb|cockroachdb)\""
    r"|(?:jdbc:)?(?P<scheme>postgres|postgresql|mysql|mariadb|mongodb|redis|rediss|amqp|sqlserver)(?:\+\w{1,20})?://"
)


@dataclass(frozen=True, slots=True)
class Service:
    """A service and the lines that name it, the most telling first.

    Attributes:
        name: the product, or what the file calls the service when the product is not known.
        image: the container image of the first place that has one; None without one.
    """

    name: str
    image: str | None
    places: tuple[Place, ...]


_Found = tuple[str, str | None, Place]


def services(tree: Tree) -> list[Service]:
    """Services by the order of what names them: compose files, CI, examples of environments, settings."""
    found: dict[str, tuple[str | None, list[Place]]] = {}
    for reader, pattern in ((_compose, _COMPOSE), (_ci, _CI), (_environment, _ENVIRONMENT), (_settings, _SETTINGS)):
        for path in [path for path in tree.paths if pattern.fullmatch(path)][:_MOST_FILES]:
            for name, image, place in islice(reader(path, (tree.text(path) or "")[:_MOST_CHARACTERS]), _MOST_FOUND):
                known = found.setdefault(name, (image, []))
                if place not in known[1]:
                    known[1].append(place)
                found[name] = known[0] or image, known[1]
    return [
        Service(name, image, tuple(places[:_MOST_PLACES]))
        for name, (image, places) in list(found.items())[:_MOST_SERVICES]
    ]


def product(*texts: str | None) -> str | None:
    """The product that the first telling text names: an image, the name of a service, a URL's scheme."""
    for text in texts:
        for word in _WORD.findall((text or "").lower()[:200]):
            if word in _BY_WORD:
                return _BY_WORD[word]
    return None


def _compose(path: str, text: str) -> Iterator[_Found]:
    entries = list(outline(text))
    yield from _with_images(path, entries, ("services",))


def _ci(path: str, text: str) -> Iterator[_Found]:
    entries = list(outline(text))
    if path.startswith(".github/"):
        yield from _with_images(path, entries, ("jobs", "*", "services"))
        return
    for entry in entries:
        keys = entry.keys
        if path.startswith(".circleci/"):  # the first image runs the job, those after it beside the job
            beside = keys[-3:-2] == ("docker",) and keys[-1:] == ("image",) and keys[-2] != "0"
        else:
            beside = "services" in keys[-4:] and keys[-1:] not in {("alias",), ("command",)}
        for value in flow_items(entry.value) or [entry.value]:
            if beside and value and (name := product(value)):
                yield name, value if path != ".travis.yml" else None, Place(path, entry.line)


def _with_images(path: str, entries: list[Entry], below: tuple[str, ...]) -> Iterator[_Found]:
    """Services of the mapping from their names that stands below these keys; `*` is any key."""
    at = len(below)
    chosen = [
        entry
        for entry in entries
        if len(entry.keys) > at and all(wanted in {"*", key} for wanted, key in zip(below, entry.keys, strict=False))
    ]
    lines: dict[tuple[str, ...], int] = {}
    images: dict[tuple[str, ...], tuple[str, int]] = {}
    for entry in chosen:
        lines.setdefault(entry.keys[: at + 1], entry.line)
        if entry.keys[at + 1 :] == ("image",) and entry.value:
            images[entry.keys[: at + 1]] = entry.value, entry.line
    for keys, line in lines.items():
        image, at_line = images.get(keys, ("", line))
        name = product("" if "$" in image.partition(":")[0] else image.rpartition("/")[2], keys[at])
        if name:
            yield name, image or None, Place(path, at_line)
        elif image and "$" not in image:  # without an image it is the repository's own
            yield keys[at], image, Place(path, at_line)


def _environment(path: str, text: str) -> Iterator[_Found]:
    for match in _NAME.finditer(text):
        name = product(_scheme(match[2]), *_named(match[1]))
        if name:  # the name of the product only: a value may be a secret
            yield name, None, Place(path, text.count("\n", 0, match.start(1)) + 1)


def _settings(path: str, text: str) -> Iterator[_Found]:
    for match in _SETTING.finditer(text):
        word = match["backend"] or match["adapter"] or match["provider"] or match["scheme"]
        if name := product(word):
            yield name, None, Place(path, text.count("\n", 0, match.start()) + 1)


def _scheme(value: str) -> str | None:
    found = _SCHEME.search(value)
    return found[1] if found else None


def _named(variable: str) -> Iterator[str]:
    """Words of a variable's name that are only said of a service: `REDIS_HOST`, not `SECRET_VAULT`."""
    if name_of(variable).endswith(("_URL", "_HOST", "_URI", "_DSN", "_PORT", "_SERVER", "_ADDRESS", "_HOSTS")):
        yield from (word for word in variable.lower().split("_") if word not in _CLIENT_ONLY)
