-- reconcile: a day of payments beside a day of the bank's lines, one in a
-- thousand of which differs.
--
-- Beside what one would write by hand: the FULL JOIN over two GROUP BYs, where
-- nothing says that a key is there once; and the FULL JOIN of both tables as
-- they are, where unique indexes say so.  Both only list what differs.  A
-- reconciliation also counts and sums by currency what agrees, and keeps what
-- it found; the join that counts and sums is measured besides.  None by hand
-- keeps anything.  What a run costs whatever the day, a few hundred million
-- instructions at most, is a good part of a day of 100,000: the bars are for
-- 1,000,000.  Measured by reconcile.sh.

CREATE TABLE bench.ours_any (day date NOT NULL, serial text NOT NULL, amount numeric NOT NULL, currency text NOT NULL);
CREATE TABLE bench.theirs_any (LIKE bench.ours_any);
CREATE TABLE bench.ours_unique (LIKE bench.ours_any, PRIMARY KEY (serial));
CREATE TABLE bench.theirs_unique (LIKE bench.ours_any, PRIMARY KEY (serial));

CREATE FUNCTION bench.make_reconcile(payments int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.ours_any
        SELECT '2018-11-26', 'po-20181126-' || i, (i::bigint * 7919 % 100000)::numeric / 100, 'EUR' FROM generate_series(1, payments) i ORDER BY hashint4(i);
    INSERT INTO bench.theirs_any
        SELECT day, serial, amount + (substr(serial, 13)::int % 1000 = 7)::int, currency FROM bench.ours_any ORDER BY hashtext(serial);
    INSERT INTO bench.ours_unique TABLE bench.ours_any;
    INSERT INTO bench.theirs_unique TABLE bench.theirs_any;
    PERFORM idem.create_reconciliation('bench any', 'bench.ours_any', 'bench.theirs_any', '{serial}', agree => '{currency}');
    PERFORM idem.create_reconciliation('bench unique', 'bench.ours_unique', 'bench.theirs_unique', '{serial}', agree => '{currency}');
END $$;
