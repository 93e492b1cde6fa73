-- The report as a picture: psql -A -t -v statement='...' -f plot.sql > x.svg
--
-- One row for each line of the table, the ratio on a scale of powers of two
-- from 1/8 to 8: left of the line idem costs less.  A tick shows the bar; what
-- meets it is green, what does not is red, what has none is grey.

WITH line AS (
    SELECT *, row_number() OVER (ORDER BY part, what, alternative, unit) AS n, count(*) OVER () AS lines,
           lag(part) OVER (ORDER BY part, what, alternative, unit) IS DISTINCT FROM part AS first,
           split_part(bar, ' ', 2)::numeric AS limit_
    FROM bench.report WHERE ratio > 0
), placed AS (
    SELECT *, 26 + n * 20 AS y,
           700 + 60 * greatest(-3, least(3, ln(ratio) / ln(2.0))) AS x,
           CASE WHEN limit_ > 0 THEN 700 + 60 * greatest(-3, least(3, ln(limit_) / ln(2.0))) END AS tick,
           replace(replace(replace(what || ', beside ' || alternative || ' (' || unit || ')',
               '&', '&amp;'), '<', '&lt;'), '>', '&gt;') AS label
    FROM line
), word AS (
    SELECT replace(replace(replace(w, '&', '&amp;'), '<', '&lt;'), '>', '&gt;') AS w, i
    FROM regexp_split_to_table(:'statement', E'\n') WITH ORDINALITY AS s (w, i) WHERE w <> ''
), svg (part, n, text) AS (
    SELECT 0, 0::bigint, format('<svg xmlns="http://www.w3.org/2000/svg" width="980" height="%s" '
        'font-family="sans-serif" font-size="11">' || E'\n'
        '<rect width="100%%" height="100%%" fill="#fff"/>' || E'\n'
        '<text x="10" y="16" font-size="13" font-weight="bold">idem: cost by the cost of the alternative</text>',
        60 + 20 * (SELECT count(*) FROM line) + 14 * (SELECT count(*) FROM word))
    UNION ALL
    SELECT 1, i, format('<line x1="%1$s" y1="30" x2="%1$s" y2="%2$s" stroke="%3$s"/>'
        '<text x="%1$s" y="28" text-anchor="middle" fill="#666">%4$s</text>',
        700 + 60 * i, 36 + 20 * (SELECT count(*) FROM line), CASE i WHEN 0 THEN '#000' ELSE '#ddd' END,
        CASE WHEN i < 0 THEN '1/' ELSE '' END || (2 ^ abs(i))::int)
    FROM generate_series(-3, 3) i
    UNION ALL
    SELECT 2, n, format('%6$s<text x="480" y="%1$s" text-anchor="end">%2$s</text>'
        '<rect x="%3$s" y="%4$s" width="%5$s" height="12" fill="%7$s"/>'
        '<text x="%8$s" y="%1$s" text-anchor="end">%9$s</text>%10$s',
        y + 4, label, round(least(x, 700), 1), y - 6, round(greatest(abs(x - 700), 1), 1),
        CASE WHEN first THEN format('<text x="10" y="%s" font-weight="bold">%s</text>', y + 4, part) ELSE '' END,
        CASE met WHEN 'yes' THEN '#3a9d5d' WHEN 'NO' THEN '#c8443c' ELSE '#9a9a9a' END,
        960, ratio || CASE WHEN bar IS NULL THEN '' ELSE ' (' || replace(replace(bar, '<', '&lt;'), '>', '&gt;') || ')' END,
        CASE WHEN tick IS NULL THEN ''
             ELSE format('<line x1="%1$s" y1="%2$s" x2="%1$s" y2="%3$s" stroke="#000" stroke-width="2"/>',
                         round(tick, 1), y - 8, y + 8) END)
    FROM placed
    UNION ALL
    SELECT 3, i, format('<text x="10" y="%s" fill="#666">%s</text>',
        44 + 20 * (SELECT count(*) FROM line) + 14 * i, w)
    FROM word
    UNION ALL
    SELECT 4, 0, '</svg>'
)
SELECT text FROM svg ORDER BY part, n;
