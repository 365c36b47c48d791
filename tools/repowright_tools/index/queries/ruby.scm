; Definitions
(class name: (constant) @name) @definition.class
(class name: (scope_resolution name: (constant) @name)) @definition.class
(module name: (constant) @name) @definition.module
(module name: (scope_resolution name: (constant) @name)) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
(assignment left: (constant) @name) @definition.constant.top

; References
(constant) @reference
(call method: (identifier) @reference)
(argument_list (identifier) @reference)
(body_statement (identifier) @reference)
(then (identifier) @reference)

; Imports
(call
  method: (identifier) @import.function
  arguments: (argument_list . (string (string_content) @import))
  (#any-of? @import.function "require" "load"))
(call
  method: (identifier) @import.function
  arguments: (argument_list . (string (string_content) @import.relative))
  (#eq? @import.function "require_relative"))
(call
  method: (identifier) @import.function
  arguments: (argument_list (string (string_content) @import) .)
  (#eq? @import.function "autoload"))

; What can be named from outside
(body_statement (identifier) @access (#any-of? @access "private" "protected" "public"))
