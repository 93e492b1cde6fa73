-- sqlsmith_server.sql - internal errors that the server has without idem
--
-- Each statement has one, in a database without the extension; sqlsmith.sh
-- takes from here the places in the server's sources where they are raised.
-- What sqlsmith meets at these places says nothing of idem, also in a
-- statement that reads its tables.

\set VERBOSITY verbose
SELECT intervaltypmodout(64);
SELECT pg_catalog."interval"(now() - now(), 6);
SELECT pg_catalog."interval"(now() - now(), n) FROM generate_series(6, 6) AS n;
SELECT unknownin('x');
SELECT pg_describe_object(0, 1, 1);
SELECT amvalidate(1);
