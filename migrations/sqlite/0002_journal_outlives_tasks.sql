-- The journal stays when tasks are deleted, and is read by node. SQLite cannot drop a constraint, so the table is made anew.

CREATE TABLE journal_kept (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          blob NOT NULL UNIQUE,
    task        blob NOT NULL,                -- may have been deleted
    step        blob NOT NULL,
    node        text,
    attempt     integer NOT NULL,
    instance    blob NOT NULL,
    epoch       integer NOT NULL,
    token       blob NOT NULL,
    change      text NOT NULL,
    intended    text NOT NULL,
    outcome     text,
    evidence    text,
    latency_ms  integer
);

INSERT INTO journal_kept
    SELECT seq, id, task, step, node, attempt, instance, epoch, token, change, intended, outcome, evidence, latency_ms
    FROM journal;
DROP TABLE journal;
ALTER TABLE journal_kept RENAME TO journal;

CREATE INDEX journal_of_step ON journal (step, seq);
CREATE INDEX journal_of_task ON journal (task, seq);
CREATE INDEX journal_of_node ON journal (node, seq) WHERE node IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (updated) WHERE status IN ('complete', 'terminated');
CREATE INDEX tasks_by_digest ON tasks (digest) WHERE digest IS NOT NULL;
CREATE INDEX boot_contexts_of_task ON boot_contexts (task);
