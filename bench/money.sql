-- money: 500,000 amounts, in the order of the table.

CREATE TABLE bench.amount AS
SELECT i AS id, (random() * 1000000)::numeric(20,6) AS n
FROM generate_series(1, 500000) i;
ALTER TABLE bench.amount ADD COLUMN m money_micro, ADD COLUMN b bigint;
UPDATE bench.amount SET m = n, b = n * 1000000;
VACUUM FREEZE ANALYZE bench.amount;

INSERT INTO bench.variant (what, variant, statement)
SELECT part, variant, format(statement, col)
FROM (VALUES ('idem', 'm'), ('bigint', 'b'), ('numeric(20,6)', 'n')) AS v (variant, col),
     (VALUES ('money, sum', 'SELECT sum(%1$I) FROM bench.amount'),
             ('money, sort', 'SELECT %1$I FROM bench.amount ORDER BY %1$I OFFSET 499999'),
             ('money, group by', 'SELECT count(*) FROM (SELECT %1$I FROM bench.amount GROUP BY %1$I) g'))
     AS p (part, statement);
