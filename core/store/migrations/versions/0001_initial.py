"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
PLAIN_TEXT = sa.String(240).with_variant(sa.String(240, collation="C"), "postgresql")

INDICES = (
    ("analyses", ["created_at"]),
    ("audit_log", ["at"]),
    ("audit_log", ["study_id"]),
    ("batch_items", ["batch_id"]),
    ("batches", ["user_id", "created_at"]),
    ("decisions", ["decided_at"]),
    ("decisions", ["study_id"]),
    ("images", ["state", "queue_rank", "id"]),
    ("notes", ["study_id"]),
    ("scans", ["image_id"]),
    ("scans", ["received_at"]),
    ("studies", ["assignee_id", "open", "rank_key", "id"]),
    ("studies", ["open", "due_at"]),
    ("studies", ["open", "flagged", "rank_key", "id"]),
    ("studies", ["open", "lesion_fraction", "id"]),
    ("studies", ["open", "predicted", "rank_key", "id"]),
    ("studies", ["open", "rank_key", "id"]),
    ("studies", ["open", "received_at", "id"]),
    ("studies", ["open", "reference_folded", "id"]),
    ("studies", ["open", "status", "rank_key", "id"]),
    ("studies", ["open", "tumour_probability", "id"]),
    ("studies", ["reference_folded", "study_date"]),
)
APPEND_ONLY = ("analyses", "audit_log", "decisions", "notes")


def upgrade() -> None:
    """Create the tables, their indices, and the guards of what may only be added to."""
    _create_tables()
    for table, columns in INDICES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END$$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _link(table: str, column: str, other: str, *, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{other}.id", name=f"fk_{table}_{column}_{other}")
    return sa.Column(column, ID, key, nullable=nullable)


def _create_tables() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("bucket", sa.BigInteger, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", "bucket", name="pk_counters"),
    )
    op.create_table(
        "images",
        sa.Column("id", ID, nullable=False),
        sa.Column("content_key", sa.String(64), nullable=False),
        sa.Column("source_format", sa.String(20), nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("spacing_row_mm", sa.Double, nullable=True),
        sa.Column("spacing_column_mm", sa.Double, nullable=True),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failure", sa.Text, nullable=True),
        sa.Column("lease_owner", sa.String(120), nullable=True),
        sa.Column("lease_until", sa.Double, nullable=True),
        sa.Column("queue_rank", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.UniqueConstraint("content_key", name="uq_images_content_key"),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_marks"),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("subject", name="uq_users_subject"),
    )
    op.create_table(
        "analyses",
        sa.Column("id", ID, nullable=False),
        _link("analyses", "image_id", "images"),
        sa.Column("model_version", sa.String(80), nullable=False),
        sa.Column("probabilities", JSON, nullable=False),
        sa.Column("predicted", sa.String(20), nullable=False),
        sa.Column("tumour_probability", sa.Double, nullable=False),
        sa.Column("suspected", sa.Boolean, nullable=False),
        sa.Column("decision_threshold", sa.Double, nullable=False),
        sa.Column("lesion", JSON, nullable=True),
        sa.Column("ood_score", sa.Double, nullable=False),
        sa.Column("in_distribution", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("mask_key", sa.String(64), nullable=False),
        sa.Column("heat_map_keys", JSON, nullable=False),
        sa.Column("thumbnail_key", sa.String(64), nullable=False),
        sa.Column("elapsed_ms", sa.Double, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_analyses"),
        sa.UniqueConstraint("image_id", "model_version", name="uq_analyses_image_id_model_version"),
    )
    op.create_table(
        "batches",
        sa.Column("id", ID, nullable=False),
        _link("batches", "user_id", "users"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_table(
        "studies",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_key", sa.String(400), nullable=False),
        sa.Column("patient_reference", sa.String(120), nullable=True),
        sa.Column("reference_folded", PLAIN_TEXT, nullable=True),
        sa.Column("study_date", sa.Date, nullable=True),
        sa.Column("site", sa.String(120), nullable=True),
        sa.Column("indication", sa.Text, nullable=True),
        sa.Column("requested", sa.String(20), nullable=False),
        sa.Column("urgency", sa.String(20), nullable=True),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("flagged", sa.Boolean, nullable=False),
        _link("studies", "assignee_id", "users", nullable=True),
        sa.Column("reported_at", sa.Double, nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("rank_key", sa.Double, nullable=False),
        sa.Column("band", sa.String(20), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("scan_count", sa.Integer, nullable=False),
        sa.Column("scored_count", sa.Integer, nullable=False),
        sa.Column("failed_count", sa.Integer, nullable=False),
        sa.Column("leading_scan_id", sa.BigInteger, nullable=True),
        sa.Column("predicted", sa.String(20), nullable=True),
        sa.Column("probability", sa.Double, nullable=True),
        sa.Column("tumour_probability", sa.Double, nullable=True),
        sa.Column("lesion", JSON, nullable=True),
        sa.Column("lesion_fraction", sa.Double, nullable=True),
        sa.Column("thumbnail_key", sa.String(64), nullable=True),
        sa.Column("model_version", sa.String(80), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("study_key", name="uq_studies_study_key"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        _link("audit_log", "user_id", "users", nullable=True),
        _link("audit_log", "study_id", "studies", nullable=True),
        sa.Column("study_version", sa.Integer, nullable=True),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", ID, nullable=False),
        _link("decisions", "study_id", "studies"),
        _link("decisions", "reader_id", "users"),
        sa.Column("finding", sa.String(20), nullable=False),
        sa.Column("model_finding", sa.String(20), nullable=True),
        sa.Column("model_version", sa.String(80), nullable=True),
        sa.Column("urgency", sa.String(20), nullable=True),
        sa.Column("mask_wrong", sa.Boolean, nullable=False),
        sa.Column("asks_second", sa.Boolean, nullable=False),
        sa.Column("status_after", sa.String(24), nullable=False),
        sa.Column("study_version", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("decided_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_table(
        "notes",
        sa.Column("id", ID, nullable=False),
        _link("notes", "study_id", "studies"),
        _link("notes", "reader_id", "users"),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_table(
        "presences",
        _link("presences", "study_id", "studies"),
        _link("presences", "reader_id", "users"),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("study_id", "reader_id", name="pk_presences"),
    )
    op.create_table(
        "scans",
        sa.Column("id", ID, nullable=False),
        _link("scans", "study_id", "studies"),
        _link("scans", "image_id", "images"),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scans"),
        sa.UniqueConstraint("study_id", "image_id", name="uq_scans_study_id_image_id"),
    )
    op.create_table(
        "batch_items",
        sa.Column("id", ID, nullable=False),
        _link("batch_items", "batch_id", "batches"),
        sa.Column("name", sa.String(400), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        _link("batch_items", "scan_id", "scans", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_batch_items"),
    )
