
-- ---------------------------------------------------------------------------
-- at the end: the owner of the extension
-- ---------------------------------------------------------------------------

-- The owner of a database installs the extension without being a superuser
-- (trusted in idem.control).  Its objects then belong to the superuser as whom
-- the server runs this script, and their owner is an admin.  The name of the
-- role is never part of a statement here: it is anybody's choice.
SELECT idem.grant_admin(e.extowner::pg_catalog.regrole)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_roles r ON r.oid = e.extowner AND NOT r.rolsuper
WHERE e.extname = 'idem';
