import ArgumentParser
import ControlAPI

extension CompletionKind {
    /// The keys and values of an option string of an object.
    static func keys<Object: OptionObject>(of object: Object.Type) -> CompletionKind {
        .keys(OptionCompletion(of: object))
    }

    /// The keys and values of an option string.
    static func keys(_ completion: OptionCompletion) -> CompletionKind {
        .custom { words, index, prefix in
            // The prefix is cut from the last word of the line, which is another one when the
            // cursor is not at the end.
            let isLast = index == words.count - 1
            let text = isLast || !words.indices.contains(index) ? prefix : words[index]
            return completion.candidates(for: text)
        }
    }
}

/// Completion of option strings in bash.
enum BashCompletion {
    /// The words that ask for the script of bash, as the parser reads them.
    static func isAsked(_ words: [String]) -> Bool {
        [["--generate-completion-script", "bash"], ["--generate-completion-script=bash"]]
            .contains(words)
    }

    /// What is to follow the generated script. Bash takes words apart at `=` and `:`, so that
    /// what the generated function sees is not what the option is about: here they are joined
    /// again for it, and what it offers is cut to what bash takes for the word at the cursor
    /// (bash(1), COMP_WORDBREAKS).
    static let wordJoiner = #"""

        _martlet_joined() {
            local -r line="${COMP_LINE:0:${COMP_POINT}}"
            local -a words=() answers=()
            local rest="${line}" word piece
            local -i at
            for ((at = 0; at <= COMP_CWORD; at++)); do
                piece="${COMP_WORDS[at]}"
                if ((at == COMP_CWORD)); then
                    piece="${rest#"${rest%%[![:space:]]*}"}"
                fi
                if [[ ${#words[@]} -gt 0 && ${rest} != [[:space:]]* ]]; then
                    words[${#words[@]} - 1]+="${piece}"
                else
                    words+=("${piece}")
                fi
                rest="${rest#*"${piece}"}"
            done
            word="${words[${#words[@]} - 1]}"

            local -a COMP_WORDS=("${words[@]}")
            local -i COMP_CWORD=$((${#words[@]} - 1))
            local COMP_LINE="${line}"
            local -i COMP_POINT=${#line}
            _martlet "${1}" "${word}" "${words[${#words[@]} - 2]}"

            # A value that begins as a path does is one.
            local value="${word##*[=:]}"
            if [[ ${#COMPREPLY[@]} -eq 0 && ${word} = *[=:]* && ${value} = [./~]* ]]; then
                while IFS= read -r piece; do
                    answers+=("${word%"${value}"}${piece}")
                done < <(compgen -f -- "${value}")
                COMPREPLY=("${answers[@]}")
            elif [[ ${COMPREPLY[0]} = *=* || ${word} = *[=,]* ]]; then
                # Neither `=` to be escaped nor a space after it.
                compopt +o filenames -o nospace 2>/dev/null
            fi

            # Readline replaces what is behind the last character that breaks words.
            local breaks="${COMP_WORDBREAKS//[!=:]}"
            if [[ -n ${breaks} ]]; then
                local -r kept="${word%"${word##*[${breaks}]}"}"
                COMPREPLY=("${COMPREPLY[@]#"${kept}"}")
            fi
        }
        complete -o filenames -F _martlet_joined martlet
        """#
}
