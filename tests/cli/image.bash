# Looks at the LUKS2 volume $img.

# Values of these columns, a line for each keyslot and token; none: "-".
state() { hwkey luks-status "$img" --json | jq -r --arg c "${1:-type,name,state}" \
	'.keyslots[] | [.[$c | split(",") | .[]] | . // "-"] | join(" ")'; }
# One LUKS2 token or keyslot, as JSON.
meta() { cryptsetup luksDump --dump-json-metadata "$img" | jq -c "$1"; }
