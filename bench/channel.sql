-- channel: an answer that is judged by its code and its echo, beside an outcome
-- that the caller says (channel.sh counts the instructions).
--
-- Keys that are dispatched, as many as the counted runs complete: 500 for each
-- way, with the same request and answers of the same length.
SELECT count(*) FROM idem.define_return_codes('bench/pay', E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 2001 | failed |\n| 9999 | unknown |');
SELECT idem.create_channel('bench', send => 'bench/pay', serial => '{key}', serial_per => 'key', echo => '{serial,amount}');
SELECT idem.create_scope('bench said', 'outside', '{payee,amount}');
SELECT idem.create_scope('bench judged', 'outside', '{payee,amount}', channels => '{bench}');
CREATE SEQUENCE bench.said;
CREATE SEQUENCE bench.judged;
CREATE PROCEDURE bench.channel_sent(scope text, n integer) LANGUAGE plpgsql AS $$
DECLARE
    answer idem.send_result;
BEGIN
    FOR i IN 1 .. n LOOP
        PERFORM idem.reserve(scope, 'po-' || i, '{"payee": "p1", "amount": 88.00}');
        COMMIT;
        answer := NULL;
        CALL idem.dispatch(scope, 'po-' || i, 1, answer);
    END LOOP;
END $$;
CALL bench.channel_sent('bench said', 1000);
CALL bench.channel_sent('bench judged', 1000);
