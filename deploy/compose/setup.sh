#!/bin/sh
# Makes keys, certificates, roster, configurations and a client profile for three servers in the
# current directory. What is there is kept. For trying things out: one machine holds every key.
set -eu
umask 077

servers="alpha beta gamma"
port=7400

# The public key of a person, made as that of a server; the key itself is $1/identity.key.
person() {
    sotto --json certs new --name "$1" --host localhost:1 --dir "$1" --authority scratch |
        sed -n 's/.*"identity": "\([0-9a-f]*\)".*/\1/p'
}

analyst=$(person analyst)
operator=$(person operator)

: >roster.new
for name in $servers; do
    sotto certs new --name "$name" --host "$name:$port" --dir "$name/data" --authority ca >>roster.new
    echo >>roster.new
done
mv roster.new roster.toml

for name in $servers; do
    cat >"$name/server.toml" <<END
name = "$name"
listen = "0.0.0.0:$port"
data = "data"
roster = "../roster.toml"
analysts = ["$analyst"]
operators = ["$operator"]
approve = "manual"
END
    sotto config check "$name/server.toml"
done

{
    cat <<END
roots = "ca/ca.pem"

[analyst]
key = "analyst/identity.key"

[operator]
key = "operator/identity.key"

[provider]
key = "provider.key"

END
    cat roster.toml
} >sotto.toml
