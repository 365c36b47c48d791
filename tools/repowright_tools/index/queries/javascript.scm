; Definitions
(class_declaration name: (identifier) @name) @definition.class
(class name: (identifier) @name) @definition.class
(method_definition name: [(property_identifier) (private_property_identifier)] @name) @definition.method
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function) (function_expression)]) @definition.method
(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(export_statement
  declaration: (lexical_declaration (variable_declarator name: (identifier) @name) @definition.constant))
(export_statement
  declaration: (variable_declaration (variable_declarator name: (identifier) @name) @definition.constant))

; References
(call_expression function: (identifier) @reference)
(member_expression object: (identifier) @reference)
(member_expression property: (property_identifier) @reference)
(new_expression constructor: (identifier) @reference)
(class_heritage (identifier) @reference)
(arguments (identifier) @reference)
(decorator (identifier) @reference)
(shorthand_property_identifier) @reference
(pair value: (identifier) @reference)
(import_clause (identifier) @reference)
(import_specifier name: (identifier) @reference)
(export_specifier name: (identifier) @reference)

; Imports
(import_statement source: (string (string_fragment) @import))
(export_statement source: (string (string_fragment) @import))
(call_expression
  function: (identifier) @import.function
  arguments: (arguments . (string (string_fragment) @import))
  (#eq? @import.function "require"))
(call_expression
  function: (import)
  arguments: (arguments . (string (string_fragment) @import)))

; What can be named from outside
(export_statement declaration: (_)) @exported
(export_statement value: (identifier) @export.name)
(export_statement (export_clause (export_specifier name: (identifier) @export.name)) !source)
(assignment_expression
  left: (member_expression object: (identifier) @export.object)
  right: (identifier) @export.name
  (#any-of? @export.object "module" "exports"))
(assignment_expression
  left: (member_expression object: (identifier) @export.object)
  right: (object (shorthand_property_identifier) @export.name)
  (#eq? @export.object "module"))
