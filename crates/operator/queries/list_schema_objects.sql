-- What a schema is made of, without the schema's own name, so that two can be compared. Partitions
-- come and go with their days.
SELECT o.kind || ' ' || replace(o.name, s.dot, '') AS "name!",
       replace(COALESCE(o.definition, ''), s.dot, '') AS "definition!"
FROM (SELECT $1::text || '.' AS dot, $1::text::regnamespace AS id) s
CROSS JOIN LATERAL (
    SELECT 'column' AS kind, c.relname || '.' || a.attname AS name,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                     CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END,
                     'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)) AS definition
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = s.id AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL
    SELECT 'index', i.relname,
           pg_get_indexdef(i.oid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE i.relnamespace = s.id AND NOT i.relispartition
    UNION ALL
    SELECT 'constraint', c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    -- NOT NULL is said with its column; as constraints of their own servers name them differently.
    WHERE k.connamespace = s.id AND NOT c.relispartition AND k.contype <> 'n'
    UNION ALL
    SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           concat_ws(' ', p.prosrc, CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
                     array_to_string(p.proconfig, ' '))
    FROM pg_proc p WHERE p.pronamespace = s.id
    UNION ALL
    SELECT 'view', c.relname, pg_get_viewdef(c.oid)
    FROM pg_class c WHERE c.relnamespace = s.id AND c.relkind = 'v'
    UNION ALL
    SELECT 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = s.id AND NOT t.tgisinternal
) o
ORDER BY 1
