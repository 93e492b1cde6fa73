-- reconcile.sql - the day of the payouts, beside the banks' own book
--
-- Ours is what each way says has succeeded, theirs what the banks paid.
CREATE VIEW old.payout_of_day AS
    SELECT date '2018-07-20' AS day, p.id AS payout, p.amount
      FROM old.payout AS o JOIN shop.payout AS p USING (id)
     WHERE o.status = 'succeeded';
CREATE VIEW shop.payout_of_day AS
    SELECT date '2018-07-20' AS day, p.id AS payout, p.amount
      FROM shop.payout AS p, idem.lookup('payout', p.id) AS l
     WHERE l.state = 'succeeded';
CREATE VIEW old.book_of_day AS
    SELECT date '2018-07-20' AS day, payout, p.amount
      FROM shop.book AS b JOIN shop.payout AS p ON p.id = b.payout
     WHERE b.way = 'old' AND b.paid;
CREATE VIEW shop.book_of_day AS
    SELECT date '2018-07-20' AS day, payout, p.amount
      FROM shop.book AS b JOIN shop.payout AS p ON p.id = b.payout
     WHERE b.way = 'guarded' AND b.paid;
SELECT idem.create_reconciliation('old', 'old.payout_of_day', 'old.book_of_day', '{payout}'),
       idem.create_reconciliation('idem', 'shop.payout_of_day', 'shop.book_of_day', '{payout}');

CREATE TEMP TABLE reconciled AS
SELECT way, r.kind, r.keys
  FROM unnest('{old,idem}'::text[]) AS way, idem.reconcile(way, '2018-07-20') AS r;

INSERT INTO shop.result (what)
VALUES ('The day of these payouts, reconciled with the banks'' book');

INSERT INTO shop.result (what, old, idem, failed)
SELECT v.what, coalesce(old.keys, 0), coalesce(new.keys, 0),
       coalesce(new.keys, 0) > 0 AND v.kind <> 'matched'
  FROM (VALUES
           (1, 'matched', 'payouts that both sides have, once'),
           (2, 'missing_ours', 'payouts of the banks that we lack'),
           (3, 'missing_theirs', 'payouts of ours that the banks lack'),
           (4, 'duplicate_theirs', 'payouts that the banks made more than once')
       ) AS v(n, kind, what)
  LEFT JOIN reconciled AS old ON (old.way, old.kind) = ('old', v.kind)
  LEFT JOIN reconciled AS new ON (new.way, new.kind) = ('idem', v.kind)
 ORDER BY v.n;
