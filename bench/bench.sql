-- The harness of the benchmarks: variants of the same work, run in turn.
--
-- A part (a file of this folder) has several pieces of work, each done by idem
-- and in other ways.  measure() runs all variants of a part once a round, each
-- in a transaction of its own.  Every other round goes backward, and after two
-- rounds another variant comes first, so that a busy machine, and what one
-- variant leaves behind for the next, meet all of them alike.  Measured are the
-- processor time of the backend and the time on the clock.  What is reported is
-- the median over the rounds of the ratio within a round, with its quartiles,
-- which say how far the machine lets it be trusted; a bar says what the ratio
-- should be.

CREATE SCHEMA bench;

CREATE TABLE bench.variant (
    part       text NOT NULL DEFAULT current_setting('bench.part'),
    what       text,
    variant    text,                -- one of them is called idem
    statement  text NOT NULL,       -- {round} in it stands for the number of the round
    before     text,                -- run before it, not measured
    PRIMARY KEY (part, what, variant)
);

CREATE TABLE bench.bar (
    part         text NOT NULL DEFAULT current_setting('bench.part'),
    what         text,
    alternative  text,
    bar          numeric NOT NULL,
    direction    text NOT NULL DEFAULT '<=' CHECK (direction IN ('<=', '>=')),
    base         text,              -- a variant whose time both have in common
    PRIMARY KEY (part, what, alternative)
);

CREATE TABLE bench.run (
    part     text,
    what     text,
    variant  text,
    round    integer,
    cpu_ms   double precision NOT NULL,
    ms       double precision NOT NULL,
    PRIMARY KEY (part, what, variant, round)
);

-- What was measured otherwise: by bench_record of run.sh.
CREATE TABLE bench.record (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    part         text NOT NULL DEFAULT current_setting('bench.part'),
    what         text NOT NULL,
    unit         text NOT NULL,
    alternative  text NOT NULL,
    idem         numeric NOT NULL,
    other        numeric NOT NULL,
    bar          numeric,
    direction    text NOT NULL DEFAULT '<=' CHECK (direction IN ('<=', '>='))
);

-- Milliseconds on a processor of this backend.
CREATE FUNCTION bench.cpu_ms() RETURNS double precision AS 'idem_bench', 'bench_cpu_ms' LANGUAGE c VOLATILE STRICT;

CREATE PROCEDURE bench.measure(rounds integer, measured text) LANGUAGE plpgsql AS $$
DECLARE
    v        bench.variant;
    started  timestamptz;
    cpu      double precision;
    elapsed  double precision;
BEGIN
    FOR r IN 0 .. rounds LOOP
        FOR v IN
            SELECT * FROM bench.variant WHERE part = measured
            ORDER BY what, CASE r % 2 WHEN 0 THEN 1 ELSE -1 END *
                     ((row_number() OVER (PARTITION BY what ORDER BY variant) + r / 2) % count(*) OVER (PARTITION BY what))
        LOOP
            IF v.before IS NOT NULL THEN
                EXECUTE replace(v.before, '{round}', r::text);
                COMMIT;
            END IF;
            started := clock_timestamp();
            cpu := bench.cpu_ms();
            EXECUTE replace(v.statement, '{round}', r::text);
            cpu := bench.cpu_ms() - cpu;
            elapsed := 1000 * extract(epoch FROM clock_timestamp() - started);
            -- round 0 warms up
            IF r > 0 THEN
                INSERT INTO bench.run
                VALUES (v.part, v.what, v.variant, r, cpu, elapsed);
            END IF;
            COMMIT;
        END LOOP;
        RAISE NOTICE '%: round % of %', measured, r, rounds;
    END LOOP;
END;
$$;

CREATE FUNCTION bench.met(ratio numeric, bar numeric, direction text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN bar IS NULL THEN ''
            WHEN CASE direction WHEN '<=' THEN round(ratio, 2) <= bar
                                ELSE round(ratio, 2) >= bar END THEN 'yes'
            ELSE 'NO' END;

CREATE VIEW bench.report AS
WITH ratio AS (
    SELECT part, what, variant AS alternative, base, bar, coalesce(direction, '<=') AS direction,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY i.cpu_ms - coalesce(b.cpu_ms, 0)) AS idem,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY a.cpu_ms - coalesce(b.cpu_ms, 0)) AS other,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY (i.cpu_ms - coalesce(b.cpu_ms, 0))
                                              / nullif(a.cpu_ms - coalesce(b.cpu_ms, 0), 0)) AS ratio,
           percentile_disc('{0.25,0.75}'::float8[]) WITHIN GROUP (ORDER BY (i.cpu_ms - coalesce(b.cpu_ms, 0))
                                                        / nullif(a.cpu_ms - coalesce(b.cpu_ms, 0), 0)) AS quartiles,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY (i.ms - coalesce(b.ms, 0))
                                              / nullif(a.ms - coalesce(b.ms, 0), 0)) AS clock
    FROM bench.run a
    JOIN (SELECT part, what, round, cpu_ms, ms FROM bench.run WHERE variant = 'idem') i
         USING (part, what, round)
    LEFT JOIN (SELECT part, what, alternative AS variant, bar, direction, base FROM bench.bar) r
         USING (part, what, variant)
    LEFT JOIN (SELECT part, what, variant AS base, round, cpu_ms, ms FROM bench.run) b
         USING (part, what, base, round)
    WHERE a.variant <> 'idem'
    GROUP BY part, what, variant, base, bar, direction
)
SELECT part, what, alternative || coalesce(' (added to ' || base || ')', '') AS alternative,
       'ms of CPU' AS unit, round(idem::numeric, 1) AS idem, round(other::numeric, 1) AS other,
       round(ratio::numeric, 2) AS ratio,
       round(quartiles[1]::numeric, 2) || ' - ' || round(quartiles[2]::numeric, 2) AS quartiles,
       round(clock::numeric, 2) AS clock,
       direction || ' ' || bar AS bar, bench.met(ratio::numeric, bar, direction) AS met
FROM ratio
UNION ALL
SELECT part, what, alternative, unit, idem, other,
       round(idem / nullif(other, 0), 2), NULL, NULL,
       direction || ' ' || bar, bench.met(idem / nullif(other, 0), bar, direction)
FROM bench.record;
