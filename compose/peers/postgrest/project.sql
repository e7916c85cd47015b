-- Roles with the names and rights of a hosted project, and a table of jobs of some kinds and statuses.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator noinherit login;
grant anon, authenticated, service_role to authenticator;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create type public.job_status as enum ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled');
create table public.jobs (
  id bigint generated always as identity primary key,
  kind text not null,
  payload jsonb not null default '{"secret": "of the payload"}',
  status public.job_status not null default 'queued',
  attempts int not null default 0,
  run_at timestamptz not null default now(),
  locked_at timestamptz,
  locked_by text,
  last_error text,
  updated_at timestamptz not null default now()
);
-- Without a policy, whoever is not service_role sees no row.
alter table public.jobs enable row level security;

insert into public.jobs (kind, status, attempts, last_error, locked_by, updated_at)
select (array['report', 'sync', 'billing'])[1 + i % 3],
  (array['failed', 'succeeded', 'queued', 'running', 'dead'])[1 + i % 5]::public.job_status,
  i % 6,
  case when i % 5 in (0, 4) then 'boom ' || i end,
  case when i % 5 in (0, 4) then 'worker ' || i end,
  now() - i * interval '1 min'
from generate_series(0, 59) i;
