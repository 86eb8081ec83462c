-- The processes of the log, and who has which shard. One statement: it is made as a whole, or not at all.

DO $$
BEGIN
    IF to_regclass('shard_leases') IS NOT NULL THEN
        RETURN;
    END IF;
    -- A row for each life of a process. Rows of the dead are removed a minute later.
    CREATE TABLE workers (
        id           uuid        PRIMARY KEY,
        roles        text        NOT NULL, -- separated by commas
        address      text        NOT NULL,
        started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
    ) WITH (fillfactor = 50);
    -- A shard is had by the worker that it names, as long as that one is alive. `epoch` counts how often it was given to
    -- somebody, and is never less than it was.
    CREATE TABLE shard_leases (
        shard  smallint PRIMARY KEY,
        worker uuid,
        epoch  bigint   NOT NULL
    ) WITH (fillfactor = 50);
    INSERT INTO shard_leases (shard, worker, epoch) SELECT shard, NULL, 0 FROM generate_series(0, 63) AS shard;
    REVOKE ALL ON workers, shard_leases FROM PUBLIC;
END $$;
