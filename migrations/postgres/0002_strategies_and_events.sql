-- Strategies of tasks, and what happened to each task, PostgreSQL.

ALTER TABLE tasks ADD COLUMN strategy text;
-- The reason for waiting that was last told in an event: the same again is no news.
ALTER TABLE steps ADD COLUMN told text;

-- The next node that a strategy lets begin; how many have failed.
CREATE INDEX steps_to_begin ON steps (task, stage, pipeline_ordinal) WHERE ordinal = 0 AND status = 'pending';
CREATE INDEX steps_failed ON steps (task) WHERE status = 'failed';
-- What a claim looks at, in the order in which it takes it.
DROP INDEX steps_claimable;
CREATE INDEX steps_due ON steps (task, stage, pipeline_ordinal) WHERE status IN ('ready', 'waiting');
-- Who works on the site.
CREATE INDEX steps_busy_site ON steps (task) WHERE node IS NULL AND status IN ('ready', 'running', 'waiting');

-- An event is about a step or, without one, about the task. What was said with it are the messages of that step or
-- task from said_from up to, not including, said_to.
CREATE TABLE task_events (
    task         uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    seq          bigint NOT NULL,
    at           timestamptz NOT NULL,
    step         uuid,
    status       text NOT NULL,
    attempt      integer NOT NULL DEFAULT 0,
    waiting_for  text,
    said_from    integer NOT NULL DEFAULT 0,
    said_to      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (task, seq)
);
