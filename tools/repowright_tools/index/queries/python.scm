; Definitions
(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(module (expression_statement (assignment left: (identifier) @name) @definition.constant))

; References
(call function: (identifier) @reference)
(call function: (attribute attribute: (identifier) @reference))
(decorator (identifier) @reference)
(decorator (attribute attribute: (identifier) @reference))
(class_definition superclasses: (argument_list (identifier) @reference))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference)))
(class_definition superclasses: (argument_list (subscript value: (identifier) @reference)))
(type (identifier) @reference)
(type (generic_type (identifier) @reference))
(type (attribute attribute: (identifier) @reference))
(type (binary_operator (identifier) @reference))
(argument_list (identifier) @reference)
(keyword_argument value: (identifier) @reference)
(attribute object: (identifier) @reference)
(import_from_statement name: (dotted_name (identifier) @reference .))
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @reference .)))

; Imports
(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (dotted_name) @import))
(import_from_statement module_name: (_) @import.from name: (dotted_name) @import.name)
(import_from_statement module_name: (_) @import.from name: (aliased_import name: (dotted_name) @import.name))
(import_from_statement module_name: (_) @import (wildcard_import))

; Entry points
(module
  (if_statement
    condition: (comparison_operator (identifier) @entry.variable (string) @entry.value)) @entry
  (#eq? @entry.variable "__name__")
  (#match? @entry.value "^.__main__.$"))
