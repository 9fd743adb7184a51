-- The first schema, PostgreSQL.
--
-- Times are timestamptz. Lists and maps (messages, facts, filters, sources, changes) and whatever a machine may have
-- sent (evidence, waiting_for) are JSON in text columns: jsonb refuses U+0000, which a machine's output may well hold.

CREATE TABLE designs (
    seq       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id        uuid PRIMARY KEY,
    base      uuid,                          -- stays when the base is deleted; the sources were copied
    revision  bigint NOT NULL,
    created   timestamptz NOT NULL
);

CREATE TABLE design_sources (
    design    uuid NOT NULL REFERENCES designs (id) ON DELETE CASCADE,
    ordinal   bigint NOT NULL,
    source    text NOT NULL,
    PRIMARY KEY (design, ordinal)
);

CREATE TABLE pins (
    digest    text PRIMARY KEY,
    sources   text NOT NULL,
    created   timestamptz NOT NULL
);

CREATE TABLE tasks (
    id              uuid PRIMARY KEY,
    action          text NOT NULL,
    design_ref      text NOT NULL,
    node_filter     text,
    priority        integer NOT NULL,
    dry_run         boolean NOT NULL,
    created_by      text NOT NULL,
    context_marker  uuid,
    idempotency_key text UNIQUE,
    created         timestamptz NOT NULL,
    updated         timestamptz NOT NULL,
    terminated      timestamptz,
    terminated_by   text,
    terminate       boolean NOT NULL DEFAULT FALSE,
    retry           integer NOT NULL DEFAULT 0,
    status          text NOT NULL,
    digest          text,
    verdict         text,
    messages        text NOT NULL DEFAULT '[]'
);

CREATE INDEX tasks_by_age ON tasks (created, id);
CREATE INDEX tasks_by_status ON tasks (status, created, id);
CREATE INDEX tasks_by_action ON tasks (action, created, id);
CREATE INDEX tasks_by_end ON tasks (updated) WHERE status IN ('complete', 'terminated');
CREATE INDEX tasks_by_digest ON tasks (digest) WHERE digest IS NOT NULL;
-- A B-tree entry has a size limit that a reference has not.
CREATE INDEX tasks_by_design ON tasks (lower(substr(design_ref, 1, 64)), created);
CREATE INDEX tasks_queue ON tasks (priority DESC, created, id) WHERE status = 'queued';

CREATE TABLE steps (
    id               uuid PRIMARY KEY,
    task             uuid NOT NULL REFERENCES tasks (id),
    pipeline         uuid NOT NULL,
    stage            integer NOT NULL,
    pipeline_ordinal integer NOT NULL,
    ordinal          integer NOT NULL,
    node             text,
    action           text NOT NULL,
    condition        text NOT NULL,
    status           text NOT NULL,
    attempt          integer NOT NULL DEFAULT 0,
    failures         integer NOT NULL DEFAULT 0,
    timeout_s        double precision NOT NULL,
    deadline         timestamptz,
    not_before       timestamptz,
    waiting_for      text,
    holder           uuid,
    token            uuid,
    poked            boolean NOT NULL DEFAULT FALSE, -- something arrived for it while it was running
    started          timestamptz,
    updated          timestamptz NOT NULL,
    ended            timestamptz,
    messages         text NOT NULL DEFAULT '[]',
    facts            text NOT NULL DEFAULT '{}'
);

CREATE UNIQUE INDEX steps_of_task ON steps (task, stage, pipeline_ordinal, ordinal);
CREATE UNIQUE INDEX steps_of_pipeline ON steps (pipeline, ordinal);
CREATE INDEX steps_of_node ON steps (node, task);
CREATE INDEX steps_open ON steps (task, stage) WHERE status IN ('pending', 'ready', 'running', 'waiting');
CREATE INDEX steps_claimable ON steps (status, not_before) WHERE status IN ('ready', 'waiting');
CREATE INDEX steps_busy ON steps (node) WHERE node IS NOT NULL AND status IN ('ready', 'running', 'waiting');
CREATE INDEX steps_held ON steps (holder) WHERE holder IS NOT NULL;
CREATE UNIQUE INDEX steps_by_token ON steps (token) WHERE token IS NOT NULL;
-- Never two at once on one node, whatever the claim query thinks.
CREATE UNIQUE INDEX steps_one_per_node ON steps (node) WHERE status = 'running' AND node IS NOT NULL;

CREATE TABLE instances (
    id    uuid PRIMARY KEY,
    beat  timestamptz NOT NULL
);

CREATE INDEX instances_by_beat ON instances (beat);

CREATE TABLE leadership (
    hill      integer PRIMARY KEY CHECK (hill = 1),
    instance  uuid,
    epoch     bigint NOT NULL UNIQUE, -- unique, so that a new reign waits for whoever holds the old one FOR KEY SHARE
    pinged    timestamptz
);

INSERT INTO leadership (hill, instance, epoch, pinged) VALUES (1, NULL, 0, NULL);

-- No foreign keys: the journal stays when tasks are deleted.
CREATE TABLE journal (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id          uuid PRIMARY KEY,
    task        uuid NOT NULL,
    step        uuid NOT NULL,
    node        text,
    attempt     integer NOT NULL,
    instance    uuid NOT NULL,
    epoch       bigint NOT NULL,
    token       uuid NOT NULL,
    change      text NOT NULL,
    intended    timestamptz NOT NULL,
    outcome     text,
    evidence    text,
    latency_ms  bigint
);

CREATE INDEX journal_of_step ON journal (step, seq);
CREATE INDEX journal_of_task ON journal (task, seq);
CREATE INDEX journal_of_node ON journal (node, seq) WHERE node IS NOT NULL;

CREATE TABLE boot_contexts (
    node        text PRIMARY KEY,
    task        uuid NOT NULL REFERENCES tasks (id),
    digest      text NOT NULL,
    design_ref  text NOT NULL,
    key_hash    bytea NOT NULL,
    created     timestamptz NOT NULL
);

CREATE TABLE boot_entries (
    action_id  text PRIMARY KEY,
    node       text NOT NULL REFERENCES boot_contexts (node) ON DELETE CASCADE,
    ordinal    integer NOT NULL,
    name       text NOT NULL,
    status     text NOT NULL
);

CREATE UNIQUE INDEX boot_entries_of_node ON boot_entries (node, ordinal);
CREATE INDEX boot_contexts_of_task ON boot_contexts (task);
