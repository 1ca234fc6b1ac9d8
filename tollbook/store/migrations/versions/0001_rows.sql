-- The rows of a new database.
INSERT INTO hot_window (window_start, leg_start) VALUES (0, 0);
INSERT INTO tariff_version (version) VALUES (1);

-- The numbering plans that come with Tollbook; docs/rating.md says how an operator adds another.
INSERT INTO numbering VALUES
    ('E164', 'country code first, with or without +', '', '{""}', '{}', '', '', ''),
    ('US', 'United States', '1', '{011,101XXXX011}', '{1,101XXXX1}',
        '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?'),
    ('CA', 'Canada', '1', '{011,101XXXX011}', '{1,101XXXX1}',
        '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?'),
    ('GB', 'United Kingdom', '44', '{00}', '{0}',
        '[1-9]\d{8,9}|8001111|845464\d', '', '999|1\d{2,3}|116\d{3}|118\d{3}'),
    ('DE', 'Germany', '49', '{00,010XX00,0100XX00}', '{0,010XX0,0100XX0}',
        '[2-9]\d{4,12}|1[1-9]\d{3,11}', '', '11[0-7]|116\d{3}|118\d{2,3}'),
    ('FR', 'France', '33', '{00}', '{0}',
        '[1-9]\d{8}', '', '1[578]|1\d{2}|10\d{2}|3\d{3}|116\d{3}|118\d{3}'),
    -- No national prefix: the 0 of a landline is part of the number, dialled within Italy and from abroad.
    ('IT', 'Italy', '39', '{00}', '{}',
        '', '0[1-9]\d{4,9}|3\d{8,9}|[89]\d{5,9}|1[6-9]\d{4,8}', '1\d{2}|1[25]\d{2}|116\d{3}'),
    ('ES', 'Spain', '34', '{00}', '{}',
        '', '[5-9]\d{8}', '112|0\d{2}|1\d{3}|116\d{3}|118\d{2}'),
    -- 0 or 00, then the two digits of a carrier; over VoIP, 0 and the area code are dialled without a carrier.
    ('BR', 'Brazil', '55', '{00ZX}', '{0,0ZX}',
        '[1-9][1-9](9\d{8}|[2-5]\d{7})|[3589]00\d{6,7}', '[1-9][1-9](9\d{8}|[2-5]\d{7})', '1\d{2}|10[36]\d{2}'),
    -- 8 waits for a second tone before 10 and a country code; 7 is also Kazakhstan's.
    ('RU', 'Russia', '7', '{810}', '{8,7}',
        '[3-9]\d{9}', '', '112|0[1-4]|10[1-4]'),
    ('IN', 'India', '91', '{00}', '{0}',
        '[1-9]\d{9}', '[6-9]\d{9}|1800\d{6,7}|1860\d{7}', '1\d{2,3}'),
    ('AU', 'Australia', '61', '{0011,0014,0015,0018,0019}', '{0}',
        '[2-478]\d{8}', '1[38]00\d{6}|13\d{4}', '000|106|112|12\d{2,4}');
