# The targets of this service. A prerequisite that is added to a target of the Makefile runs before it.

.PHONY: migrate
# Bring the tables of DATABASE_URL to the newest version
migrate: $(UV)
	$(UV) run python -m todo.migrations

dev: migrate

.PHONY: secrets
# Make the passwords of the database in Docker, once
secrets: secrets/database_password secrets/database_root_password

# Users of two containers read the files; the folder keeps other users of this machine out.
secrets/%:
	@mkdir -p -m 700 secrets
	@python3 -I -c "import secrets; print(secrets.token_urlsafe(24))" >$@.new
	@chmod 644 $@.new && mv $@.new $@

.PHONY: upgrade
# Migrate the database in Docker while the old instances serve; `make up` begins with it
upgrade: secrets
	docker compose run --rm --build --no-TTY migrate

up: upgrade

.PHONY: backup
# Write the database in Docker to standard output: make -s backup >todo.sql
backup:
	@docker compose exec -T database sh -c 'MYSQL_PWD=$$(cat $$MARIADB_ROOT_PASSWORD_FILE) exec mariadb-dump --user=root --single-transaction todo'

.PHONY: restore
# Replace the database in Docker by standard input: make restore <todo.sql
restore:
	@docker compose exec -T database sh -c 'MYSQL_PWD=$$(cat $$MARIADB_ROOT_PASSWORD_FILE) exec mariadb --user=root todo'
