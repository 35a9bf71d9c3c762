# Words for carrel, which knows them itself: carrel completions fish -o text | source
function __carrel_words
    set -l typed (commandline --current-token --cut-at-cursor)
    set -l found (command carrel completions fish --output json --typed="$typed" \
        -- (commandline --current-process --tokenize --cut-at-cursor) 2>/dev/null </dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path $typed
    end
end
complete --command carrel --no-files --arguments '(__carrel_words)'
