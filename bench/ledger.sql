-- ledger: transfers between accounts, 1,000 in one INSERT, beside what one
-- would write by hand.
--
-- Every way has accounts and transfers of its own: the two foreign keys of the
-- transfers and nothing else; the two guards beside them; and the PL/pgSQL row
-- trigger that updates both accounts in the order of their keys under a
-- condition.  Amounts are bigint, nobody is refused.  bench.pay_hot does by hand
-- what a function of one's own does: both accounts in the order of their keys,
-- then the transfer.

CREATE FUNCTION bench.make_ledger(way text, accounts int) RETURNS void
LANGUAGE plpgsql AS $make$
DECLARE
    account  text := format('bench.account_%s_%s', way, accounts);
    transfer text := format('bench.transfer_%s_%s', way, accounts);
BEGIN
    EXECUTE format('CREATE TABLE %s (id int PRIMARY KEY, owner text NOT NULL, currency text NOT NULL, created timestamptz NOT NULL,
                    floor bigint NOT NULL DEFAULT -1000000000000, balance bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50)', account);
    EXECUTE format('INSERT INTO %s SELECT i, ''user '' || i, ''EUR'', now() FROM generate_series(1, %s) i', account, accounts);
    EXECUTE format('CREATE TABLE %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit_id int NOT NULL, credit_id int NOT NULL,
                    amount bigint NOT NULL, created timestamptz NOT NULL DEFAULT now())', transfer);
    IF way <> 'bare' THEN
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (debit_id) REFERENCES %s, ADD FOREIGN KEY (credit_id) REFERENCES %2$s', transfer, account);
    END IF;
    CASE way
        WHEN 'idem' THEN
            PERFORM idem.guard_balance(transfer::regclass, fk, amount => 'amount', balance => 'balance', side => side, normal => 'credit', floor => 'floor')
            FROM (VALUES ('debit_id', 'debit'), ('credit_id', 'credit')) v (fk, side);
        WHEN 'row' THEN
            EXECUTE format($sql$
                CREATE FUNCTION %2$s_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.debit_id < NEW.credit_id THEN
                        UPDATE %1$s SET balance = balance - NEW.amount WHERE id = NEW.debit_id AND balance - NEW.amount >= floor;
                        IF NOT FOUND THEN RAISE EXCEPTION 'not enough'; END IF;
                        UPDATE %1$s SET balance = balance + NEW.amount WHERE id = NEW.credit_id;
                    ELSE
                        UPDATE %1$s SET balance = balance + NEW.amount WHERE id = NEW.credit_id;
                        UPDATE %1$s SET balance = balance - NEW.amount WHERE id = NEW.debit_id AND balance - NEW.amount >= floor;
                        IF NOT FOUND THEN RAISE EXCEPTION 'not enough'; END IF;
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER balance BEFORE INSERT ON %2$s FOR EACH ROW EXECUTE FUNCTION %2$s_trigger()$sql$, account, transfer);
        ELSE NULL;
    END CASE;
END $make$;

SELECT bench.make_ledger(way, accounts)
FROM unnest('{bare,fk,idem,row}'::text[]) way, unnest('{20,1000,100000}'::int[]) accounts;

-- All of them pay out of, or into, account 1.
SELECT bench.make_ledger(way, 100001) FROM unnest('{fk,idem}'::text[]) way;
CREATE FUNCTION bench.pay_hot(debit int, credit int, paid bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF debit < credit THEN
        UPDATE bench.account_fk_100001 SET balance = balance - paid WHERE id = debit AND balance - paid >= floor;
        IF NOT FOUND THEN RAISE EXCEPTION 'not enough'; END IF;
        UPDATE bench.account_fk_100001 SET balance = balance + paid WHERE id = credit;
    ELSE
        UPDATE bench.account_fk_100001 SET balance = balance + paid WHERE id = credit;
        UPDATE bench.account_fk_100001 SET balance = balance - paid WHERE id = debit AND balance - paid >= floor;
        IF NOT FOUND THEN RAISE EXCEPTION 'not enough'; END IF;
    END IF;
    INSERT INTO bench.transfer_fk_100001 (debit_id, credit_id, amount) VALUES (debit, credit, paid);
END $$;

-- A balance over so many transfers: the rows first, then the guards, which
-- fill it.
CREATE FUNCTION bench.make_large(kind text, transfers bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE bench.account_%s (id int PRIMARY KEY, floor bigint NOT NULL DEFAULT -1000000000000, balance bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50)', kind);
    EXECUTE format('INSERT INTO bench.account_%s SELECT i FROM generate_series(1, 100000) i', kind);
    EXECUTE format('CREATE TABLE bench.transfer_%s (id bigint GENERATED ALWAYS AS IDENTITY, debit_id int NOT NULL, credit_id int NOT NULL, amount bigint NOT NULL)', kind);
    EXECUTE format('INSERT INTO bench.transfer_%s (debit_id, credit_id, amount) SELECT 1 + i * 7919 %% 100000, 1 + (i * 104729 + 1) %% 100000, 1 FROM generate_series(1, %s::bigint) i', kind, transfers);
    EXECUTE format('ALTER TABLE bench.transfer_%1$s ADD PRIMARY KEY (id), ADD FOREIGN KEY (debit_id) REFERENCES bench.account_%1$s, ADD FOREIGN KEY (credit_id) REFERENCES bench.account_%1$s', kind);
    PERFORM idem.guard_balance(('bench.transfer_' || kind)::regclass, side || '_id', amount => 'amount', balance => 'balance', side => side, normal => 'credit', floor => 'floor')
    FROM unnest('{debit,credit}'::text[]) side;
    EXECUTE format('ANALYZE bench.transfer_%1$s, bench.account_%1$s', kind);
END $$;
