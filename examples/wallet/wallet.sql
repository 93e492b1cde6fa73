-- A wallet: accounts, transfers, holds, fees and reversals.
--
-- Copy it, rename what you like.  Nothing here is a table of idem: what keeps
-- the sums are the four declarations below, so any client may write transfers
-- with INSERT as well; the functions only spare it the rows.  test/tap/480
-- drives it with pgbench and asks wallet.proof.

CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA wallet;

-- Accounts.  Balances are what we owe: they grow by credits.  The accounts of
-- the house may go below zero, and say so.
CREATE TABLE wallet.account (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner     text NOT NULL,
    currency  text NOT NULL,
    floor     money_micro NOT NULL DEFAULT '0',
    is_house  boolean NOT NULL DEFAULT false,
    UNIQUE (owner, currency)
);

-- Transfers, both sides in one row, so each of them balances by itself.
CREATE TABLE wallet.transfer (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit_id   bigint NOT NULL REFERENCES wallet.account,
    credit_id  bigint NOT NULL REFERENCES wallet.account,
    amount     money_micro NOT NULL,
    currency   text NOT NULL,
    status     text NOT NULL DEFAULT 'posted',
    reason     text NOT NULL,
    hold_id    bigint UNIQUE REFERENCES wallet.transfer,
    expires_at timestamptz,
    -- a reversal is of one transfer, once, and its mirror: the key says so
    reverses   bigint UNIQUE,
    UNIQUE (id, debit_id, credit_id, amount, currency),
    FOREIGN KEY (reverses, credit_id, debit_id, amount, currency)
        REFERENCES wallet.transfer (id, debit_id, credit_id, amount, currency),
    CHECK (debit_id <> credit_id)
);

-- A transfer is posted at once, or a hold until it is posted or void.
SELECT idem.define_machine('wallet_transfer', $$
stateDiagram-v2
    [*] --> posted
    [*] --> pending
    pending --> void : release
    posted --> [*]
    void --> [*]
$$);
SELECT idem.guard_states('wallet.transfer', 'status', 'wallet_transfer');

-- Each side changes the balance of its account, within the account's floor.
SELECT idem.guard_balance('wallet.transfer', 'debit_id', amount => 'amount', balance => 'balance', side => 'debit',
    normal => 'credit', floor => 'floor', unbounded => 'is_house', same => '{"currency":"currency"}',
    state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id', expires_at => 'expires_at');
SELECT idem.guard_balance('wallet.transfer', 'credit_id', amount => 'amount', balance => 'balance', side => 'credit',
    normal => 'credit', floor => 'floor', unbounded => 'is_house', same => '{"currency":"currency"}',
    state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id', expires_at => 'expires_at');

-- ---------------------------------------------------------------------------
-- What one does with it: each answers what became of it
-- ---------------------------------------------------------------------------

CREATE FUNCTION wallet.open(owner text, currency text, is_house boolean DEFAULT false) RETURNS bigint LANGUAGE sql
    AS 'INSERT INTO wallet.account (owner, currency, is_house) VALUES (owner, currency, is_house) RETURNING id';

-- Pay, with a fee of the payer for the house: one statement, all or nothing.
CREATE FUNCTION wallet.pay(payer bigint, payee bigint, sum money_micro, fee money_micro DEFAULT '0') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, reason)
        SELECT payer, r.id, r.amount, a.currency, r.reason
        FROM wallet.account a,
             LATERAL (SELECT payee, sum, 'payment' UNION ALL
                      SELECT h.id, fee, 'fee' FROM wallet.account h
                      WHERE h.owner = 'fees' AND h.currency = a.currency AND fee > '0') r (id, amount, reason)
        WHERE a.id = payer;
    RETURN 'paid';
EXCEPTION WHEN SQLSTATE '23I05' THEN
    RETURN 'not enough';
END $$;

CREATE FUNCTION wallet.hold(payer bigint, payee bigint, sum money_micro, ttl interval DEFAULT '7 days') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    hold bigint;
BEGIN
    INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, status, reason, expires_at)
        SELECT payer, payee, sum, a.currency, 'pending', 'hold', clock_timestamp() + ttl FROM wallet.account a WHERE a.id = payer
        RETURNING id INTO hold;
    RETURN hold;
EXCEPTION WHEN SQLSTATE '23I05' THEN
    RETURN NULL;
END $$;

-- Post a hold, all of it or less: the rest is given back.
CREATE FUNCTION wallet.capture(hold bigint, sum money_micro DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, reason, hold_id)
        SELECT debit_id, credit_id, coalesce(sum, amount), currency, 'capture', id FROM wallet.transfer WHERE id = hold;
    RETURN CASE WHEN FOUND THEN 'captured' ELSE 'no such hold' END;
EXCEPTION
    WHEN unique_violation THEN RETURN 'captured before';
    WHEN SQLSTATE '23I09' THEN RETURN 'no hold any more';
    WHEN SQLSTATE '23I05' THEN RETURN 'more than was held';
END $$;

CREATE FUNCTION wallet.release(hold bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallet.transfer SET status = 'void' WHERE id = hold AND status = 'pending';
    RETURN CASE WHEN FOUND THEN 'released' ELSE 'no hold any more' END;
EXCEPTION WHEN SQLSTATE '23I07' THEN
    RETURN 'captured before';
END $$;

-- Take a posted transfer back, as far as the payee still has it.
CREATE FUNCTION wallet.reverse(original bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, reason, reverses)
        SELECT credit_id, debit_id, amount, currency, 'reversal', id FROM wallet.transfer
        WHERE id = original AND status = 'posted' AND reverses IS NULL;
    RETURN CASE WHEN FOUND THEN 'reversed' ELSE 'nothing to reverse' END;
EXCEPTION
    WHEN unique_violation THEN RETURN 'reversed before';
    WHEN SQLSTATE '23I05' THEN RETURN 'not enough';
END $$;

-- ---------------------------------------------------------------------------
-- The sums, by SQL that uses nothing of idem
-- ---------------------------------------------------------------------------

CREATE VIEW wallet.proof AS
SELECT a.id, a.owner, a.currency, a.balance, m.sum, a.held, m.pending,
       a.balance = m.sum AND a.held = m.pending AND (a.is_house OR a.balance - a.held >= a.floor) AS holds
FROM wallet.account a,
     LATERAL (SELECT coalesce(sum(net) FILTER (WHERE status = 'posted'), '0') AS sum,
                     coalesce(sum(- net) FILTER (WHERE status = 'pending' AND net < '0'), '0') AS pending
              FROM (SELECT t.amount AS net, t.status FROM wallet.transfer t WHERE t.credit_id = a.id
                    UNION ALL
                    SELECT - t.amount, t.status FROM wallet.transfer t WHERE t.debit_id = a.id
                        AND (t.status <> 'pending' OR NOT EXISTS (SELECT FROM wallet.transfer p WHERE p.hold_id = t.id))) e) m;
CREATE VIEW wallet.total AS
SELECT currency, sum(balance) AS balance, sum(held) AS held, bool_and(holds) AS holds FROM wallet.proof GROUP BY currency;
