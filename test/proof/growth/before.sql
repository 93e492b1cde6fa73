--
-- What each kind of test/proof/growth.sh begins with.
--
CREATE EXTENSION idem;
SELECT idem.define_machine('turn', $$
stateDiagram-v2
    [*] --> up
    up --> down : lower
    down --> up : lift
    down --> gone : end
    gone --> [*]
$$);
-- of keys, payments and entries that nobody has used
CREATE SEQUENCE fresh START 10000000000;

-- Microseconds of CPU that this backend has used so far, as its user and in the
-- kernel; the kernel counts them in steps of 10,000.
CREATE FUNCTION cpu_us() RETURNS numeric LANGUAGE sql VOLATILE
RETURN (SELECT 10000 * (f[12]::numeric + f[13]::numeric)
        FROM string_to_array(split_part(pg_read_file('/proc/self/stat', 0, 4000, true), ') ', 2), ' ') f);

-- Kilobytes of the backend's own memory at the most, shared buffers aside: what
-- it has now, since an allocation of that size is not always given back.
CREATE FUNCTION high_water() RETURNS bigint LANGUAGE sql VOLATILE
RETURN substring(pg_read_file('/proc/self/status', 0, 4000, true) FROM 'RssAnon:\s*(\d+)')::bigint;
