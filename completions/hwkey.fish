# fish completion for hwkey(8): the command itself knows its words.

function __hwkey_words
    set -l words (commandline -opc) (commandline -ct)
    set -l found (hwkey --complete $words[2..-1] 2>/dev/null)
    switch "$found[1]"
        case '#file'
            __fish_complete_path (commandline -ct)
        case '#dir'
            __fish_complete_directories (commandline -ct)
        case '*'
            set -l prefix (string match -r '^--[^=]*=' -- (commandline -ct))
            for word in $found
                echo "$prefix$word"
            end
    end
end

complete -c hwkey -f -a '(__hwkey_words)'
