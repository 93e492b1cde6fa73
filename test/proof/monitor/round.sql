-- A round of the shop, :n from 1: payments come and go, some stay where they are;
-- payouts leave, and some are not answered.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
INSERT INTO shop.payment SELECT :n * 100 + i, '20', CASE i % 3 WHEN 0 THEN 'JPY' ELSE 'EUR' END, 'created' FROM generate_series(1, 6 + :n % 5) i;
UPDATE shop.payment SET status = 'paying' WHERE id BETWEEN :n * 100 + 1 AND :n * 100 + 5;
UPDATE shop.payment SET status = 'succeeded' WHERE id BETWEEN (:n - 3) * 100 + 1 AND (:n - 3) * 100 + 4 AND status = 'paying';
SELECT count(*) FROM generate_series(1, 2) i,
    LATERAL idem.reserve('payout', format('po-%s-%s', :n, i), jsonb_build_object('payee', 'p' || i, 'amount', 10 + i, 'currency', CASE i WHEN 1 THEN 'EUR' ELSE 'USD' END));
CALL idem.dispatch('payout', format('po-%s-1', :n), 1, channel => 'bankA') \gset
SELECT count(*) FROM idem.complete('payout', format('po-%s-1', :n), 1, answer => jsonb_build_object('code', CASE :n % 4 WHEN 0 THEN '9999' ELSE '0000' END));
