-- A narrow role for bots that look after jobs: it sees some columns of jobs of some kinds, and changes nothing but by one function.
--
-- Run it once as the owner of the database (Supabase: SQL editor). Adapt what is marked ADAPT; running it again is fine.
-- See README.md for what the table needs, how the role is used, and how to try it.

begin;

-- The role that PostgREST takes on for a token with "role": "ops_bot". It cannot log in.
do $$ begin
  if not exists (select from pg_roles where rolname = 'ops_bot') then create role ops_bot nologin noinherit; end if;
end $$;
grant ops_bot to authenticator;
grant usage on schema public to ops_bot;

-- The kinds that bots may see and queue again. It is the only list in the database.
create or replace function public.ops_bot_kinds() returns text[] language sql immutable set search_path = '' as
  $$ select array['report', 'sync'] $$; -- ADAPT
revoke all on function public.ops_bot_kinds from public;
grant execute on function public.ops_bot_kinds to ops_bot;

-- Columns, never the payload; rows by kind.
alter table public.jobs enable row level security;
revoke all on public.jobs from ops_bot;
grant select (id, kind, status, attempts, last_error, updated_at) on public.jobs to ops_bot;
drop policy if exists ops_bot_reads on public.jobs;
create policy ops_bot_reads on public.jobs for select to ops_bot using (kind = any (public.ops_bot_kinds()));

-- What was queued again, by which confirmation: a repetition finds its own row.
create table if not exists public.job_requeues (
  request_id uuid primary key,
  job_id bigint not null,
  actor text not null,
  from_status text not null,
  at timestamptz not null default now()
);
alter table public.job_requeues enable row level security;
revoke all on public.job_requeues from public, ops_bot;

-- Queues a failed job again, once for each confirmation, if it is still as it was shown.
create or replace function public.requeue_job(
  p_job_id bigint, p_request_id uuid, p_actor text, p_expect_updated_at timestamptz default null
) returns table (id bigint, status text, requeue_count bigint, replayed boolean)
language plpgsql security definer set search_path = '' as $$
declare job public.jobs; done public.job_requeues;
begin
  -- First, so that repetitions of one confirmation wait for one another here.
  select * into job from public.jobs j where j.id = p_job_id and j.kind = any (public.ops_bot_kinds()) for update;
  if not found then
    raise sqlstate 'PT404' using message = 'there is no such job';
  end if;
  select * into done from public.job_requeues r where r.request_id = p_request_id;
  if found then
    if done.job_id <> p_job_id then
      raise sqlstate 'PT409' using message = 'this confirmation was for another job';
    end if;
    return query select job.id, job.status::text, count(*), true from public.job_requeues r where r.job_id = job.id;
    return;
  end if;
  if job.status::text not in ('failed', 'dead') then
    raise sqlstate 'PT409' using message = 'the job is ' || job.status::text;
  end if;
  if p_expect_updated_at is not null and job.updated_at is distinct from p_expect_updated_at then
    raise sqlstate 'PT409' using message = 'the job changed since it was shown';
  end if;
  insert into public.job_requeues (request_id, job_id, actor, from_status) values (p_request_id, job.id, p_actor, job.status::text);
  update public.jobs j set status = 'queued', attempts = 0, run_at = now(), locked_at = null, locked_by = null, updated_at = now()
    where j.id = job.id; -- ADAPT: what your worker looks at
  return query select job.id, 'queued'::text, count(*), false from public.job_requeues r where r.job_id = job.id;
end $$;
revoke all on function public.requeue_job from public;
-- Supabase grants new functions to these by default.
do $$ declare other text; begin
  foreach other in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = other) then
      execute format('revoke all on function public.requeue_job from %I', other);
      execute format('revoke all on public.job_requeues from %I', other);
    end if;
  end loop;
end $$;
grant execute on function public.requeue_job to ops_bot;

commit;

-- PostgREST looks for functions again.
notify pgrst, 'reload schema';
