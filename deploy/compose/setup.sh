#!/bin/sh
# Makes keys, certificates, roster, configurations and a client profile for three servers in the
# current directory. What is there is kept. For trying things out: one machine holds every key.
set -eu
umask 077

servers="alpha beta gamma"
port=7400

# The public key of a person; the key itself is $1.key, made once.
person() {
    if [ -e "$1.key" ]; then sotto keys show "$1.key"; else sotto keys new "$1.key"; fi
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
key = "analyst.key"

[operator]
key = "operator.key"

[provider]
key = "provider.key"

END
    cat roster.toml
} >sotto.toml
