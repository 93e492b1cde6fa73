-- The harness of the benchmarks: variants of the same work, run in turn.
--
-- A part is one piece of work; its variants do it in different ways, one of
-- them is called idem.  measure() runs all variants of all parts once a
-- round, each run in a transaction of its own, and turns the order around in
-- every other round, so that a busy machine meets all of them alike.  What is
-- reported is a median over the rounds of the ratio within a round.

CREATE SCHEMA bench;

CREATE TABLE bench.variant (
    part       text,
    variant    text,
    statement  text NOT NULL,       -- {round} in it stands for the number of the round
    PRIMARY KEY (part, variant)
);

CREATE TABLE bench.run (
    part     text,
    variant  text,
    round    integer,
    ms       double precision NOT NULL,
    PRIMARY KEY (part, variant, round)
);

CREATE PROCEDURE bench.measure(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
    v        bench.variant;
    started  timestamptz;
BEGIN
    FOR r IN 0 .. rounds LOOP
        FOR v IN
            SELECT * FROM bench.variant
            ORDER BY part, CASE WHEN r % 2 = 0 THEN variant END,
                     CASE WHEN r % 2 = 1 THEN variant END DESC
        LOOP
            started := clock_timestamp();
            EXECUTE replace(v.statement, '{round}', r::text);
            -- round 0 warms up
            IF r > 0 THEN
                INSERT INTO bench.run
                VALUES (v.part, v.variant, r,
                        1000 * extract(epoch FROM clock_timestamp() - started));
            END IF;
            COMMIT;
        END LOOP;
        RAISE NOTICE 'round % of %', r, rounds;
    END LOOP;
END;
$$;

CREATE VIEW bench.report AS
SELECT a.part,
       a.variant AS alternative,
       round(percentile_disc(0.5) WITHIN GROUP (ORDER BY i.ms)::numeric, 1) AS idem_ms,
       round(percentile_disc(0.5) WITHIN GROUP (ORDER BY a.ms)::numeric, 1) AS alternative_ms,
       round(percentile_disc(0.5) WITHIN GROUP (ORDER BY i.ms / a.ms)::numeric, 2) AS ratio,
       count(*) AS rounds
FROM bench.run i
JOIN bench.run a USING (part, round)
WHERE i.variant = 'idem' AND a.variant <> 'idem'
GROUP BY a.part, a.variant;
