-- Build data of nodes, and what operators are asked, PostgreSQL.

-- No foreign keys: what is known of a machine stays when tasks are deleted. data_element is JSON text: a machine may have sent it.
CREATE TABLE build_data (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node          text NOT NULL,
    generator     text NOT NULL,
    task          uuid NOT NULL,
    step          uuid NOT NULL,
    collected     timestamptz NOT NULL,
    data_format   text NOT NULL,
    data_element  text NOT NULL
);

CREATE UNIQUE INDEX build_data_of_step ON build_data (step, generator);
CREATE INDEX build_data_of_node ON build_data (node, generator, seq);
CREATE INDEX build_data_of_task ON build_data (task, seq);

CREATE TABLE operator_requests (
    step      uuid PRIMARY KEY REFERENCES steps (id) ON DELETE CASCADE,
    request   text NOT NULL,
    opened    timestamptz NOT NULL,
    answer    text,
    answered  timestamptz
);
