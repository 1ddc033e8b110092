-- A schema for a lab: its user owns it, and `provenir-lab init` makes the tables in it. Besides that schema the
-- user may do nothing. Run once, in the lab's database, by someone who may create logins and schemas.
CREATE LOGIN provenir_lab WITH PASSWORD = 'put a password here';
CREATE USER provenir_lab FOR LOGIN provenir_lab;
GRANT CREATE TABLE TO provenir_lab;
GO
CREATE SCHEMA lab AUTHORIZATION provenir_lab;
GO
