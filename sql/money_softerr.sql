--
-- Whoever asks whether text is an amount gets an answer, not an error
--
-- Servers from 16 on have pg_input_is_valid() and pg_input_error_info(), from
-- 17 on COPY skips bad lines; an older one catches the error instead, so that
-- the lesson reads the same on every server.
CREATE FUNCTION pg_temp.said_of(value text, type text, OUT valid bool, OUT code text, OUT message text)
    LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE 'SELECT pg_input_is_valid($1, $2)' INTO valid USING value, type;
        EXECUTE 'SELECT sql_error_code, message FROM pg_input_error_info($1, $2)' INTO code, message USING value, type;
    ELSE
        EXECUTE format('SELECT %L::%s', value, type);
        valid := true;
    END IF;
EXCEPTION WHEN numeric_value_out_of_range OR invalid_text_representation THEN
    IF current_setting('server_version_num')::int >= 160000 THEN
        RAISE;
    END IF;
    valid := false;
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
END $$;
SELECT v.value, v.type, said.*
  FROM (VALUES ('12.30', 'money_micro'), ('12.3x', 'money_micro'), ('', 'money_micro'), ('0.0000001', 'money_micro'), ('1.23e1', 'money_micro'), ('1e', 'money_micro'), ('1e-7', 'money_micro'), ('1e13', 'money_micro'), ('1e-3', 'money_micro(2)'),
               ('2305843009213.693952', 'money_micro'), ('-99999999999999999999', 'money_micro'),
               ('12.30', 'money_micro(2)'), ('12.345', 'money_micro(2)'),
               ('{1.5,2.5}', 'money_micro[]'), ('{1.5,x}', 'money_micro[]'),
               ('[1,2]', 'money_micro_range'), ('[0,x]', 'money_micro_range'), ('[0,2305843009213.693951]', 'money_micro_range'),
               ('(2305843009213.693951,)', 'money_micro_range'),
               ('{[0,1)}', 'idem.money_micro_multirange'), ('{[0,2305843009213.693951]}', 'idem.money_micro_multirange')) AS v (value, type),
       pg_temp.said_of(v.value, v.type) AS said;

-- COPY takes the lines it can read.
CREATE TABLE money_lines (n int, amount money_micro(2));
SET client_min_messages = warning;	-- the server counts the others
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        EXECUTE 'COPY money_lines FROM PROGRAM ''printf "1\t12.30\n2\t12,30\n3\t99999999999999\n4\t0.005\n5\t-1\n6\t1e1\n7\t1e-3\n8\t1e99\n"'' (ON_ERROR ignore)';
    ELSE
        INSERT INTO money_lines VALUES (1, '12.30'), (5, '-1'), (6, '1e1');
    END IF;
END $$;
TABLE money_lines;
DROP TABLE money_lines;
