# The shell of every candidate. It lives here and not in the home directory, because that one is
# an empty, sized tmpfs in each new environment.
[ -z "$PS1" ] && return

PS1='\u@exam:\w\$ '
HISTSIZE=10000
HISTFILESIZE=20000
HISTCONTROL=ignoredups
shopt -s checkwinsize histappend

alias ls='ls --color=auto'
alias ll='ls -l'
alias grep='grep --color=auto'
export LANG=C.UTF-8 EDITOR=nano PAGER=less LESS=-R
