# bash completion for hwkey(8). Words that never change stand below (put there at build time by 'hwkey --complete'), so that
# completing them runs nothing; names of keys and devices are asked of the command itself.

declare -gA _hwkey_args=() _hwkey_options=() _hwkey_values=()

# _hwkey_load LINES: by expansions only, because bash reads a here-document one byte at a time
_hwkey_load()
{
	local line kind name rest IFS=$'\n' -
	set -f
	for line in $1; do
		kind=${line%% *} rest=${line#* }
		name=${rest%% *} rest=${rest#* }
		case $kind in
		command) _hwkey_args[$name]=$rest ;;
		option) _hwkey_options[$name]+=" $rest" ;;
		value) _hwkey_values["$name ${rest%% *}"]=${rest#* } ;;
		esac
	done
}

# _hwkey_offer WORD...: those that begin with $cur
_hwkey_offer()
{
	local w
	for w; do
		[[ $w == "$cur"* ]] && COMPREPLY+=("$w")
	done
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
		compopt -o nospace
	fi
}

_hwkey_ask()
{
	local -a words
	mapfile -t words < <(hwkey --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	if [[ ${words[0]-} == '#file' ]]; then
		_hwkey_kind file
	else
		_hwkey_offer "${words[@]}"
	fi
}

# _hwkey_kind KIND: what a word is, as 'hwkey --complete' names it
_hwkey_kind()
{
	case $1 in
	file) compopt -o default ;;
	dir) compopt -o dirnames ;;
	ask) _hwkey_ask ;;
	esac
}

_hwkey()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} i at=0 values
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_hwkey_offer "${!_hwkey_args[@]}" help --help --version
		return
	elif ((COMP_CWORD == 2)) && [[ $command == help ]]; then
		_hwkey_offer "${!_hwkey_args[@]}"
		return
	fi
	[[ $cur == = ]] && cur=
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	values=${_hwkey_values["$command $prev"]-}
	if [[ $values == '#'* ]]; then
		_hwkey_kind "${values#\#}"
	elif [[ $values ]]; then
		# shellcheck disable=SC2086
		_hwkey_offer $values
	elif [[ $cur == -?* ]]; then
		# shellcheck disable=SC2086
		_hwkey_offer ${_hwkey_options[$command]-}
	else
		for ((i = 2; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == [-=]* ]] || ((at++))
		done
		local -a kinds
		read -ra kinds <<<"${_hwkey_args[$command]-none}"
		_hwkey_kind "${kinds[at < ${#kinds[@]} ? at : ${#kinds[@]} - 1]}"
	fi
}
complete -F _hwkey hwkey

_hwkey_load '
@WORDS@
'
