-- ledger: transfers between accounts, 1,000 in one INSERT, beside what one
-- would write by hand.
--
-- Every way has accounts and transfers of its own: the two foreign keys of the
-- transfers and nothing else; the two guards beside them; and the PL/pgSQL row
-- trigger that updates both accounts in the order of their keys under a
-- condition.  Amounts are bigint, nobody is refused.

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
