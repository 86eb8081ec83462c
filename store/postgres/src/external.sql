-- Takes a row that comes without a position: from a program that knows only the columns of cqrs-es. Its place, time, id,
-- tenant and author are not its own to say.
CREATE OR REPLACE FUNCTION events_take_external() RETURNS trigger
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
    IF newest IS NULL THEN
        SELECT sequence INTO newest FROM {schema}.archived_appends
            WHERE aggregate_type = NEW.aggregate_type AND aggregate_id = NEW.aggregate_id AND tenant_id = declared.tenant_id
            ORDER BY sequence DESC LIMIT 1;
    END IF;
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
