-- What stays of events whose rows are in the archive, and where their segments are. One statement: it is made as a whole, or
-- not at all.
--
-- A row may go once what stays of it is written, and what stays of it once the row is back: triggers refuse anything else.

DO $do$
BEGIN
    IF to_regclass('log_segments') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE log_segments (
        first        bigint PRIMARY KEY, -- position of its first event
        last         bigint NOT NULL,    -- of its last one
        place        text   NOT NULL,
        name         text   NOT NULL,
        bytes        bigint NOT NULL,
        sha256       bytea  NOT NULL,
        index_sha256 bytea  NOT NULL,
        last_us      bigint NOT NULL     -- when the log took its last event, microseconds since 1970
    );
    -- One row. Whoever moves rows locks it, after the head.
    CREATE TABLE log_archive (
        only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        dropped   bigint  NOT NULL, -- rows are dropped up to this position
        restoring bigint            -- where the segment begins whose rows are being brought back
    );
    INSERT INTO log_archive (dropped) VALUES (0);
    CREATE TABLE archived_kinds (
        kind           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id      bigint NOT NULL,
        aggregate_type text   NOT NULL,
        event_type     text   NOT NULL,
        UNIQUE (tenant_id, aggregate_type, event_type)
    );
    CREATE TABLE archived_events (
        position bigint  PRIMARY KEY,
        event_id uuid    NOT NULL UNIQUE,
        kind     integer NOT NULL
    );
    CREATE INDEX archived_events_kind ON archived_events (kind, position);
    CREATE TABLE archived_appends (
        position       bigint  PRIMARY KEY, -- of the last event of the append
        aggregate_type text    NOT NULL,
        aggregate_id   text    NOT NULL,
        tenant_id      bigint  NOT NULL,
        sequence       bigint  NOT NULL,
        append_events  integer NOT NULL,
        command_id     uuid    NOT NULL
    );
    CREATE UNIQUE INDEX archived_appends_stream ON archived_appends (aggregate_type, aggregate_id, tenant_id, sequence);
    CREATE INDEX archived_appends_command ON archived_appends (command_id);

    CREATE FUNCTION log_rows_are_archived() RETURNS trigger
    LANGUAGE plpgsql AS $fn$
    BEGIN
        IF EXISTS (SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM {schema}.archived_events AS kept
                WHERE kept.position = gone.position AND kept.event_id = gone.event_id)) THEN
            RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $fn$;
    CREATE FUNCTION log_ids_are_back() RETURNS trigger
    LANGUAGE plpgsql AS $fn$
    BEGIN
        IF EXISTS (SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM {schema}.events AS event
                WHERE event.position = gone.position AND event.event_id = gone.event_id)) THEN
            RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $fn$;
    CREATE FUNCTION log_appends_are_back() RETURNS trigger
    LANGUAGE plpgsql AS $fn$
    BEGIN
        IF EXISTS (SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM {schema}.events AS event
                WHERE event.position = gone.position AND event.sequence = gone.sequence
                    AND event.append_events = gone.append_events AND event.command_id = gone.command_id)) THEN
            RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $fn$;
    CREATE FUNCTION log_segments_are_back() RETURNS trigger
    LANGUAGE plpgsql AS $fn$
    BEGIN
        IF EXISTS (SELECT FROM gone WHERE
            EXISTS (SELECT FROM {schema}.archived_appends AS kept WHERE kept.position BETWEEN gone.first AND gone.last)
            OR NOT EXISTS (SELECT FROM {schema}.events AS event WHERE event.position = gone.last)) THEN
            RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $fn$;
    -- Asked of every row that comes with a position, once something is archived: a program of before would append to
    -- streams whose events it cannot see.
    CREATE FUNCTION log_archive_is_unknown() RETURNS trigger
    LANGUAGE plpgsql AS $fn$
    BEGIN
        RAISE EXCEPTION 'old events of this log are in an archive, which this program does not know: start a newer one'
            USING ERRCODE = 'insufficient_privilege';
    END $fn$;

    DROP TRIGGER events_only_grow ON events;
    CREATE TRIGGER events_only_grow BEFORE UPDATE OR TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
    CREATE TRIGGER events_go_once_archived AFTER DELETE ON events REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION log_rows_are_archived();
    CREATE TRIGGER archived_events_only_grow BEFORE UPDATE OR TRUNCATE ON archived_events
        FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
    CREATE TRIGGER archived_events_go_once_back AFTER DELETE ON archived_events REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION log_ids_are_back();
    CREATE TRIGGER archived_appends_only_grow BEFORE UPDATE OR TRUNCATE ON archived_appends
        FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
    CREATE TRIGGER archived_appends_go_once_back AFTER DELETE ON archived_appends REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION log_appends_are_back();
    CREATE TRIGGER log_segments_only_grow BEFORE UPDATE OR TRUNCATE ON log_segments
        FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
    CREATE TRIGGER log_segments_go_once_back AFTER DELETE ON log_segments REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION log_segments_are_back();
    CREATE TRIGGER archive_is_kept BEFORE DELETE OR TRUNCATE ON log_archive
        FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();

    REVOKE ALL ON log_segments, log_archive, archived_kinds, archived_events, archived_appends FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION log_rows_are_archived(), log_ids_are_back(), log_appends_are_back(),
        log_segments_are_back(), log_archive_is_unknown() FROM PUBLIC;
    -- Which rows may go the trigger says.
    GRANT DELETE ON events TO CURRENT_USER;
END $do$;
