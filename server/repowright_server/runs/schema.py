"""The tables of the state. A change of them is a new SCHEMA_VERSION with a migration in the store."""

import sqlalchemy as sa

SCHEMA_VERSION = 1

metadata = sa.MetaData()
schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, nullable=False))
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("principal", sa.String, nullable=False),
    sa.Column("source", sa.JSON, nullable=False),
    sa.Column("repository", sa.JSON(none_as_null=True)),
    sa.Column("holder", sa.String),
    sa.Column("cancel", sa.String),
    sa.Column("created", sa.Float, nullable=False),
)
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), nullable=False, index=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("scope", sa.String, nullable=False),
    sa.Column("call", sa.String, nullable=False, index=True),
    sa.Column("parent", sa.Integer),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("status_message", sa.String, nullable=False),
    sa.Column("submissions", sa.JSON, nullable=False),
    sa.Column("submission", sa.JSON, nullable=False),
    sa.Column("pending", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("dropped_by", sa.String),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
)
entries = sa.Table(
    "journal",
    metadata,
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("scope", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("inputs", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("payload", sa.JSON(none_as_null=True)),
    sa.Column("cost", sa.JSON(none_as_null=True)),
    sa.Column("hash", sa.String, nullable=False),
)
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("granted", sa.Boolean, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)
responses = sa.Table(
    "responses",
    metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("created", sa.Float, nullable=False, index=True),
    sa.Column("used", sa.Float, nullable=False),
    sa.Column("hits", sa.Integer, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("record", sa.Text, nullable=False),  # last: the others are read without it
    sa.Index("responses_by_use", "used", "created", "key", "bytes"),
)
limits = sa.Table(
    "limits",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("book", sa.Text, nullable=False),
)
