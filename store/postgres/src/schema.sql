-- The event log in one schema of a PostgreSQL database. Made once, in one transaction.
--
-- `events` has the columns of the common cqrs-es tables under their names, and more. Words in braces are filled in by the
-- program: {schema} is the quoted name of the schema, {events} the name of the table in it as a text, {channel} the name on
-- which new positions are announced. What runs with the owner's rights names everything in full: in a search path, whoever
-- may create things in a schema could put his own before ours.

CREATE TABLE log_meta (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- One row. Whoever appends locks it first, so that positions are given one after the other, without gaps, in the order
-- in which they become visible.
CREATE TABLE log_head (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position       bigint NOT NULL,
    recorded_at_us bigint NOT NULL -- microseconds since 1970, of the newest event
) WITH (fillfactor = 10);

INSERT INTO log_head (position, recorded_at_us) VALUES (0, -9223372036854775808);

CREATE TABLE events (
    position       bigint      PRIMARY KEY,
    tenant_id      bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_id       uuid        NOT NULL,
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        json        NOT NULL, -- not jsonb: its bytes are what is proved
    metadata       json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    leaf           bytea       NOT NULL, -- RFC 6962 leaf hash of the canonical record
    append_events  integer,              -- on the last event of an append: how many events it has
    command_id     uuid,                 -- on the last event of an append: its command
    tx             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT events_event_id UNIQUE (event_id),
    CONSTRAINT events_stream UNIQUE (aggregate_type, aggregate_id, tenant_id, sequence)
);

CREATE INDEX events_command ON events (command_id) WHERE append_events IS NOT NULL;
CREATE INDEX events_type ON events (event_type, position);

CREATE TABLE blobs (
    hash    bytea  PRIMARY KEY, -- BLAKE3 of the content
    content bytea  NOT NULL
);
ALTER TABLE blobs ALTER COLUMN content SET STORAGE EXTERNAL;

-- Positions that processes remember, such as how far executions have ended. Losing one costs time and nothing else.
CREATE TABLE marks (
    name     text   PRIMARY KEY,
    position bigint NOT NULL,
    note     text   -- what is remembered beside it
);

-- Folded states of long streams: a cache. A crash of the server empties it, and anybody may.
CREATE UNLOGGED TABLE snapshot_cache (
    saved          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    tenant_id      bigint NOT NULL,
    sequence       bigint NOT NULL,
    position       bigint NOT NULL,
    event_id       uuid   NOT NULL,
    fold_hash      bytea  NOT NULL,
    state          bytea  NOT NULL,
    checksum       bytea  NOT NULL
);
CREATE INDEX snapshot_cache_stream ON snapshot_cache (aggregate_type, aggregate_id, tenant_id, saved);

-- Categories to which a role of the database may append by itself, and for which tenant it then does.
CREATE TABLE external_categories (
    category  text   NOT NULL,
    role      name   NOT NULL,
    tenant_id bigint NOT NULL,
    PRIMARY KEY (category, role)
);

CREATE FUNCTION log_only_grows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
CREATE TRIGGER head_is_kept BEFORE DELETE OR TRUNCATE ON log_head
    FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();

-- A text as the canonical record has it: its length in bytes as four bytes, then the bytes.
CREATE FUNCTION log_record_text(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8')
$$;

-- Takes a row that comes without a position: from a program that knows only the columns of cqrs-es. Its place, time, id,
-- tenant and author are not its own to say.
CREATE FUNCTION events_take_external() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    declared {schema}.external_categories%ROWTYPE;
    head     {schema}.log_head%ROWTYPE;
    newest   bigint;
    now_us   bigint;
    version  integer;
BEGIN
    IF TG_RELID <> {events}::regclass THEN
        RAISE EXCEPTION 'this is for the event log alone' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO declared FROM {schema}.external_categories
        WHERE category = NEW.aggregate_type AND role = session_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'category "%" is not open to role "%"', NEW.aggregate_type, session_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Only categories that were declared external for the role can be appended to: timeloom log external add.';
    END IF;
    IF octet_length(NEW.payload::text) > {payload_bytes_max} OR octet_length(NEW.metadata::text) > {metadata_bytes_max}
        OR octet_length(NEW.aggregate_id) > {name_bytes_max} OR octet_length(NEW.event_type) > {name_bytes_max}
        OR octet_length(NEW.event_version) > {name_bytes_max} THEN
        RAISE EXCEPTION 'the event is too large: a payload may have {payload_bytes_max} bytes, metadata {metadata_bytes_max}, names {name_bytes_max}'
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF NEW.payload::text LIKE '{"$blob":%' OR NEW.payload::text <> btrim(NEW.payload::text, E' \t\n\r') THEN
        RAISE EXCEPTION 'a payload may not begin with {"$blob":, nor have spaces around it' USING ERRCODE = 'check_violation';
    END IF;
    IF json_typeof(NEW.metadata) <> 'object' THEN
        RAISE EXCEPTION 'metadata must be an object' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM json_each(NEW.metadata) AS entry WHERE json_typeof(entry.value) <> 'string') THEN
        RAISE EXCEPTION 'metadata must have texts as values' USING ERRCODE = 'check_violation';
    END IF;

    -- A client that falls asleep now, or computes for long, would hold up every append.
    PERFORM set_config('idle_in_transaction_session_timeout', '{external_idle_ms_max}', true);
    PERFORM set_config('statement_timeout', '{external_idle_ms_max}', true);
    SELECT * INTO head FROM {schema}.log_head FOR UPDATE;
    SELECT sequence INTO newest FROM {schema}.events
        WHERE aggregate_type = NEW.aggregate_type AND aggregate_id = NEW.aggregate_id AND tenant_id = declared.tenant_id
        ORDER BY sequence DESC LIMIT 1;
    newest := coalesce(newest, 0);
    IF NEW.sequence <= newest THEN
        -- The code by which these programs know that somebody else appended first.
        RAISE EXCEPTION 'stream %/% is at % already', NEW.aggregate_type, NEW.aggregate_id, newest
            USING ERRCODE = 'unique_violation';
    ELSIF NEW.sequence > newest + 1 THEN
        RAISE EXCEPTION 'stream %/% is at %, so % is not its next event', NEW.aggregate_type, NEW.aggregate_id, newest, NEW.sequence
            USING ERRCODE = 'check_violation';
    END IF;

    now_us := greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, head.recorded_at_us + 1);
    version := coalesce(substring(NEW.event_version FROM '^[0-9]{1,5}(?![0-9])')::integer, 0);
    NEW.position := head.position + 1;
    NEW.tenant_id := declared.tenant_id;
    NEW.event_id := gen_random_uuid();
    NEW.recorded_at := timestamptz 'epoch' + now_us * interval '1 microsecond';
    NEW.metadata := (NEW.metadata::jsonb || jsonb_build_object('timeloom_role', session_user::text))::json;
    NEW.append_events := 1;
    NEW.command_id := NEW.event_id;
    NEW.tx := pg_current_xact_id();
    NEW.leaf := sha256(
        '\x00'::bytea
        || int8send(NEW.position)
        || substring(int8send(NEW.tenant_id) FROM 5)
        || {schema}.log_record_text(NEW.aggregate_type)
        || {schema}.log_record_text(NEW.aggregate_id)
        || int8send(NEW.sequence)
        || uuid_send(NEW.event_id)
        || {schema}.log_record_text(NEW.event_type)
        || substring(int4send(CASE WHEN version > 65535 THEN 0 ELSE version END) FROM 3)
        || int8send(now_us)
        || {schema}.log_record_text(NEW.payload::text)
        || {schema}.log_record_text(NEW.metadata::text));
    UPDATE {schema}.log_head SET position = NEW.position, recorded_at_us = now_us;
    PERFORM pg_notify('{channel}', NEW.position::text);
    RETURN NEW;
END $$;

CREATE TRIGGER events_take_external BEFORE INSERT ON events
    FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION events_take_external();

-- Roles that were let in read the events of their tenants and no others.
CREATE FUNCTION log_tenants_of_role() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT tenant_id FROM {schema}.external_categories WHERE role = session_user
$$;

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY external_reads ON events FOR SELECT USING (tenant_id IN (SELECT log_tenants_of_role()));
CREATE POLICY external_appends ON events FOR INSERT WITH CHECK (tenant_id IN (SELECT log_tenants_of_role()));

REVOKE ALL ON log_meta, log_head, events, blobs, marks, snapshot_cache, external_categories FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION log_tenants_of_role(), events_take_external(), log_only_grows(), log_record_text(text)
    FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON events FROM CURRENT_USER;
