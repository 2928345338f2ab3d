/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of words that recognisers ask for, for inclusion with GD_LK_SET(name, words) defined. Not
 * guarded: it is included more than once. The table of all words (likeness_keywords.h) is made of
 * them by tools/check-likeness-words.py. */
#include <guard/types.h>
#ifdef GD_LK_SET
GD_LK_SET(ASKING, "select values")
GD_LK_SET(CALLS, "alert prompt confirm eval fetch document window top self this settimeout "
                 "function console import location print")
GD_LK_SET(CATALOG, "information_schema sysobjects syscolumns pg_catalog pg_shadow pg_user "
                   "sqlite_master sqlite_schema all_tables all_tab_columns user_tables")
GD_LK_SET(CHANGES, "drop create alter truncate")
GD_LK_SET(CLAUSES, "order group having procedure")
GD_LK_SET(COMPARISONS, "like rlike regexp ilike between glob")
GD_LK_SET(CONDITIONS, "or and xor where having")
GD_LK_SET(CONNECTIVES, "or and xor")
GD_LK_SET(CONSTANTS, "true false null")
GD_LK_SET(DBMS_PACKAGES, "dbms_pipe dbms_lock dbms_xmlgen utl_http utl_inaddr utl_file")
GD_LK_SET(DELAYS, "delay time")
GD_LK_SET(DIALOGS, "alert prompt confirm")
GD_LK_SET(DIRECTIVES, "set foreach evaluate parse include")
GD_LK_SET(DOCUMENT, "cookie domain")
GD_LK_SET(EVALUATORS, "eval settimeout")
GD_LK_SET(EXECUTES, "exec execute")
GD_LK_SET(EXTERNAL, "system public")
GD_LK_SET(FILES, "outfile dumpfile")
GD_LK_SET(FRAMES, "iframe object embed base applet frameset frame portal")
GD_LK_SET(FREEMARKER, "assign include import list if macro")
GD_LK_SET(GADGETS, "jdbcrowsetimpl templatesimpl objectdataprovider annotationinvocationhandler "
                   "badattributevalueexpexception ysoserial invokertransformer bcelclassloader "
                   "windowsidentity typeconfusedelegate")
GD_LK_SET(INJECTED_CALLS, "pg_sleep benchmark extractvalue updatexml load_file group_concat "
                          "randomblob load_extension xmltype concat_ws string_agg")
GD_LK_SET(INTERNALS, "__class__ __mro__ __bases__ __subclasses__ __globals__ __builtins__ "
                     "__import__ __init__ _memberaccess")
GD_LK_SET(JNDI_SCHEMES, "ldap ldaps rmi dns iiop corba nis nds http")
GD_LK_SET(KNOWN_CALLS,
          "select sleep substring substr ascii length char_length mid ord exists ifnull nullif if "
          "iif bin hex unhex user database version count concat cast convert pg_sleep benchmark "
          "extractvalue updatexml isnull elt make_set strcmp left right")
GD_LK_SET(LOOKUPS, "jndi lower upper env sys java date ctx main bundle web docker k8s kubernetes "
                   "spring base64 log4j marker sd map event script url dns const")
GD_LK_SET(MATCHES, "like rlike regexp between")
GD_LK_SET(NUMBER_CALLS, "sleep char chr concat")
GD_LK_SET(OBJECTS, "table database schema view index procedure function trigger user login")
GD_LK_SET(OPERATORS, "ne eq gt gte lt lte in nin exists regex where or and not nor expr elemmatch "
                     "function accumulator jsonschema")
GD_LK_SET(ORDERS, "order group")
GD_LK_SET(PACKAGES, "com org java javax sun net system microsoft oracle")
GD_LK_SET(PICKLES, "cos cposix cnt csubprocess c__builtin__ cbuiltins csys ccommands")
GD_LK_SET(PROCEDURES, "xp_cmdshell xp_dirtree xp_regread sp_oacreate sp_executesql")
GD_LK_SET(PROGRAMS,
          "cat ls dir id whoami uname wget curl nc ncat netcat bash sh zsh ksh ash ping nslookup "
          "dig host python python2 python3 perl php ruby node rm mv cp chmod chown echo printf "
          "sleep touch ps kill ifconfig ipconfig ip netstat ss powershell pwsh cmd type certutil "
          "bitsadmin tasklist systeminfo net set env printenv hostname pwd find grep head tail "
          "more less tac nl awk sed xargs base64 xxd od nohup mkfifo telnet socat busybox timeout "
          "expr test export sudo su tee tar gzip strings ftp tftp scp ssh lynx w id who")
GD_LK_SET(PROTOTYPES, "__proto__ __definegetter__")
GD_LK_SET(QUANTIFIERS, "distinct all")
GD_LK_SET(RUNNERS, "system exec eval assert require include")
GD_LK_SET(RUNTIMES, "getruntime processbuilder shell_exec passthru popen proc_open pcntl_exec "
                    "phpinfo execsync spawnsync scriptenginemanager")
GD_LK_SET(SCHEMES, "gopher dict ldap ldaps rmi tftp jar netdoc file")
GD_LK_SET(SHELLS, "bash sh zsh")
GD_LK_SET(SSI, "exec include echo config printenv set fsize flastmod if")
GD_LK_SET(STATEMENTS, "insert delete update drop create alter truncate")
GD_LK_SET(
    TAGS,
    "if for set import include from macro extends block load raw with print do call filter debug")
GD_LK_SET(TAG_PACKAGES, "java javax com org sun net")
GD_LK_SET(TELLING, "whoami uname ifconfig ipconfig netstat printenv systeminfo tasklist")
GD_LK_SET(VARIABLES, "version datadir basedir hostname version_compile_os servername")
GD_LK_SET(WEB, "http https ftp ws wss")
GD_LK_SET(WRAPPERS, "php phar zip expect glob zlib ogg rar data")
GD_LK_SET(XPATH, "count name string substring contains number concat")
#endif
