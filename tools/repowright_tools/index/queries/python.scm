; Definitions
(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function

; References
(call function: (identifier) @reference)
(attribute (identifier) @reference)
(decorator (identifier) @reference)
(argument_list (identifier) @reference)
(keyword_argument value: (identifier) @reference)
(type (identifier) @reference)
(generic_type (identifier) @reference)
(type (binary_operator (identifier) @reference))
(subscript value: (identifier) @reference)

; Imports
(import_statement name: [(dotted_name) @import (aliased_import name: (dotted_name) @import)])
(import_from_statement module_name: (_) @import.from)
(import_from_statement
  name: [
    (dotted_name (identifier) @reference .) @import.name
    (aliased_import name: (dotted_name (identifier) @reference .) @import.name)
  ])
(import_from_statement module_name: (_) @import (wildcard_import))

; Once
; `_` where no other node can stand: every parent that is named takes its time when the query is made. `!name` keeps it
; from looking into classes and functions.
(module
  (_ !name (assignment left: [(identifier) @name (pattern_list (identifier) @name)]) @definition.constant))
(module
  (if_statement
    [
      consequence: (_ (_ (assignment left: (identifier) @name) @definition.constant))
      alternative: (_ body: (_ (_ (assignment left: (identifier) @name) @definition.constant)))
    ]))
(module
  (try_statement
    [
      body: (_ (_ (assignment left: (identifier) @name) @definition.constant))
      (_ (block (_ (assignment left: (identifier) @name) @definition.constant)))
    ]))
(module (type_alias_statement left: (_ [(identifier) @name (generic_type (identifier) @name)])) @definition.type)
; What can be named from outside
(module
  (_ !name
    (assignment left: (identifier) @export.variable right: [(list) (tuple)] @export.list)
    (#eq? @export.variable "__all__")))
; Entry points
(module
  (if_statement
    condition: (_ (identifier) @entry.variable (string) @entry.value)) @entry
  (#eq? @entry.variable "__name__")
  (#match? @entry.value "^.__main__.$"))
