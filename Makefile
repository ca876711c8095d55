# Thin: the guide's `make deploy`. Everything else is the program itself.
.PHONY: deploy plan destroy local test

CONFIG ?= stepstack.toml

deploy:
	cargo stepstack apply -c $(CONFIG)

plan:
	cargo stepstack plan -c $(CONFIG)

destroy:
	cargo stepstack destroy -c $(CONFIG)

local:
	cargo stepstack apply --local -c examples/arive.toml

test:
	cargo test --workspace
