# shellcheck shell=bash
# Ketter in containers, as infra/docker-compose.yml tells it: what dev_up.sh and dev_down.sh share. Sourced after lib.sh, never run.

ENV_FILE=$ROOT/infra/.env
ACCESS=$ROOT/infra/access # who may use the API
COMPOSE=''
token_is_new='' # make_env has just made .env's

# require_docker finds compose (the plugin of today, or docker-compose 1.29) and an engine that answers.
require_docker() {
	have docker || die "Docker is missing: install it (Debian and Ubuntu: apt-get install docker.io docker-compose; macOS: Docker Desktop)."
	if docker compose version >/dev/null 2>&1; then
		COMPOSE='docker compose'
	elif have docker-compose; then
		COMPOSE=docker-compose
	else
		die "Docker's compose is missing: install it (Debian: apt-get install docker-compose; Ubuntu: docker-compose-v2)."
	fi
	docker info >/dev/null 2>&1 || die "The Docker engine does not answer. Start it: sudo systemctl start docker (macOS: open Docker Desktop).
If it runs, you may not use it: run this with sudo, or sudo usermod -aG docker $(id -un) and log in again."
}

# compose runs in infra, where it finds its file and the .env.
compose() {
	# shellcheck disable=SC2086 # it may be two words
	(cd "$ROOT/infra" && $COMPOSE "$@")
}

# ---- infra/.env

env_value() { sed -n "s/^$1=//p" "$ENV_FILE" | tail -n 1; }

# make_env writes what docker-compose.yml wants to know, once; an operator may alter it.
make_env() {
	local name project
	if [ -e "$ENV_FILE" ]; then
		for name in COMPOSE_PROJECT_NAME KETTER_UID KETTER_GID KETTER_PORT POSTGRES_PASSWORD REDIS_PASSWORD KETTER_SECRET_KEY; do
			[ -n "$(env_value $name)" ] || die "$ENV_FILE has no $name: give it one. (Passwords that a database was made with must stay.)"
		done
		[ -n "$(env_value KETTER_API_TOKEN)" ] || add_token
		return
	fi
	project=${COMPOSE_PROJECT_NAME:-ketter}
	! docker volume inspect "${project}_postgres" >/dev/null 2>&1 ||
		die "There is a database from before, the volume ${project}_postgres, but $ENV_FILE, which holds its password, is gone or is another checkout's.
Put it back, or choose another name: COMPOSE_PROJECT_NAME=ketter2 infra/dev_up.sh --compose. To remove the database: docker volume rm ${project}_postgres"
	(umask 077 && write_env "$project" >"$ENV_FILE.new" && mv "$ENV_FILE.new" "$ENV_FILE")
	token_is_new=1
	say "Made $ENV_FILE, with random passwords."
}

# add_token completes an .env from before there were tokens.
add_token() {
	printf '\nKETTER_API_TOKEN=%s\n' "$(new_token)" >>"$ENV_FILE"
	token_is_new=1
}

# write_env has containers write dev_data as whoever runs this; root is given an account of their own.
write_env() { # PROJECT
	local uid gid port=${KETTER_LISTEN:-127.0.0.1:8000}
	if is_root; then uid=10001 gid=10001; else uid=$(id -u) gid=$(id -g); fi
	cat <<-END
		# Made by infra/dev_up.sh --compose for infra/docker-compose.yml. Keep it as long as the database: it holds its password,
		# and the key of the portals' credentials.
		COMPOSE_PROJECT_NAME=$1
		KETTER_UID=$uid
		KETTER_GID=$gid
		KETTER_PORT=${port##*:}
		POSTGRES_PASSWORD=$(random_hex 16)
		REDIS_PASSWORD=$(random_hex 16)
		KETTER_SECRET_KEY=$(random_hex 32)
		KETTER_API_TOKEN=$(new_token)
	END
}

# make_tokens lets who has .env's token use the API, in the place of an .env's that is gone; a token that was revoked stays so.
# Others are added, and this one revoked, by the service tokens.
make_tokens() {
	local file=$ACCESS/tokens
	[ ! -e "$file" ] || [ -n "$token_is_new" ] || return 0
	mkdir -p "$ACCESS"
	(umask 077 && write_tokens "$file" >"$file.new" && mv "$file.new" "$file")
	! is_root || chown "$(env_value KETTER_UID):$(env_value KETTER_GID)" "$ACCESS" "$file"
}

write_tokens() { # FILE
	[ ! -e "$1" ] || sed '/^compose /d' "$1"
	printf 'compose sha256:%s %s\n' "$(env_value KETTER_API_TOKEN | tr -d '\n' | sha256)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

new_token() { printf 'ketter_%s' "$(random_hex 24)"; } # as infra/tokens makes them

sha256() { if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# give_to_containers FOLDER... makes folders that they may write to; of those that are full already, what root has made below "source".
give_to_containers() {
	local dir owner
	owner=$(env_value KETTER_UID):$(env_value KETTER_GID)
	for dir; do
		mkdir -p "$dir"
		if ! is_root; then
			continue
		elif [ "${dir##*/}" = source ]; then
			chown -R "$owner" "$dir"
		else
			chown "$owner" "$dir"
		fi
	done
}

# ---- Containers

containers_of() { # SERVICE [DOCKER'S OPTIONS]
	local service=$1
	shift
	docker ps -q --filter "label=com.docker.compose.project=$(env_value COMPOSE_PROJECT_NAME)" --filter "label=com.docker.compose.service=$service" "$@"
}

start_containers() {
	local version=dev
	have git && version=$(cd "$ROOT" && git describe --always --dirty 2>/dev/null || echo dev)
	say "Building the image ketter:local"
	VERSION=$version compose build api || die "The image could not be built: see above. Without internet, load it and the others from a host that has them: docs/compose.md."
	say "Starting postgres, redis, api and worker"
	[ -z "$(containers_of api)$(containers_of worker)" ] || compose stop api worker # the schema may be altered
	compose up -d --remove-orphans || {
		# shellcheck disable=SC2046 # a list
		compose logs --tail=20 migrate $(not_healthy) >&2
		die "Not all containers could be started: see above."
	}
}

# await_healthy waits until Docker has found all four healthy.
await_healthy() {
	local deadline=$((SECONDS + 180)) sick
	while sick=$(not_healthy) && [ -n "$sick" ]; do
		if [ $SECONDS -ge $deadline ]; then
			compose ps >&2
			# shellcheck disable=SC2086 # a list
			compose logs --tail=20 $sick >&2
			die "Not healthy after 180 s:$sick. Their last lines are above; infra/dev_down.sh --compose ends all of them."
		fi
		sleep 1
	done
	compose ps
}

# not_healthy prints the services of which there is no container, or one that isn't healthy.
not_healthy() {
	local service ids
	for service in postgres redis api worker; do
		ids=$(containers_of $service)
		if [ -z "$ids" ] || [ "$ids" != "$(containers_of $service --filter health=healthy)" ]; then printf ' %s' $service; fi
	done
}
