--
-- clients: what drivers and object mappers really send
--
-- Made by test/clients/regress.mjs from the records of test/clients/run.sh:
-- change those, not this.  A statement is sent with the types that the client
-- gave to its parameters; "unspecified" leaves them to the server.  What is
-- refused here is refused to the client, and docs/clients.md says what to
-- write instead.
--
SET client_min_messages = warning;
CREATE SCHEMA clients;
SET search_path = clients;
@schema@
SET idem.truncate_reason = 'the next client';
-- the tables as a client finds them
CREATE FUNCTION anew() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE payment, refund, account RESTART IDENTITY;
    INSERT INTO account VALUES (1, 100.00);
END $$;
-- what the server says: 00000, or why not
CREATE FUNCTION sent(statement text, VARIADIC bound text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    types text[];
    data text[];
    b text;
    t text;
BEGIN
    IF bound = '{}' THEN
        EXECUTE statement;
        RETURN '00000';
    END IF;
    FOREACH b IN ARRAY bound LOOP
        t := substring(b FROM '^(double precision|[^ ]+)');
        types := types || replace(t, 'unspecified', 'unknown');
        data := data || CASE substr(b, length(t) + 2) WHEN 'NULL' THEN 'NULL' ELSE quote_literal(substr(b, length(t) + 2)) END;
    END LOOP;
    EXECUTE format('PREPARE sent (%s) AS %s', array_to_string(types, ', '), statement);
    EXECUTE format('EXECUTE sent (%s)', array_to_string(data, ', '));
    DEALLOCATE sent;
    RETURN '00000';
EXCEPTION WHEN OTHERS THEN
    IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'sent') THEN
        DEALLOCATE sent;
    END IF;
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
\pset format unaligned
\pset tuples_only on
