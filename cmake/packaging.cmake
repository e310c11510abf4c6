# What is installed, and the Debian package: `cpack -G DEB` in a build folder makes
# tenbin_VERSION_ARCH.deb there.

include(GNUInstallDirs)
install(TARGETS tenbin RUNTIME DESTINATION bin)
install(FILES packaging/systemd/tenbin.service DESTINATION lib/systemd/system)
install(FILES packaging/prometheus/tenbin.rules.yml packaging/grafana/tenbin.json
        DESTINATION share/tenbin)
install(FILES packaging/tenbin.toml DESTINATION share/doc/tenbin/examples)
install(FILES packaging/tenbin.toml DESTINATION /etc/tenbin)
install(FILES README.md DESTINATION share/doc/tenbin)
install(DIRECTORY docs/ DESTINATION share/doc/tenbin/docs)
install(DIRECTORY examples/ DESTINATION share/doc/tenbin/examples)

# Man pages and completions, as the program writes them.
install(CODE [[
  set(program "$<TARGET_FILE:tenbin>")
  set(into "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share")
  foreach(pair "bash;bash-completion/completions;tenbin" "zsh;zsh/vendor-completions;_tenbin"
               "fish;fish/vendor_completions.d;tenbin.fish")
    list(GET pair 0 shell)
    list(GET pair 1 folder)
    list(GET pair 2 name)
    execute_process(COMMAND ${program} completion ${shell} OUTPUT_VARIABLE text
                    COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE "${into}/${folder}/${name}" "${text}")
  endforeach()
  file(MAKE_DIRECTORY "${into}/man")
  execute_process(COMMAND ${program} man --to "${into}/man" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
]])

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tenbin)
set(CPACK_PACKAGE_VENDOR "Tenbin")
set(CPACK_PACKAGE_CONTACT "The Tenbin maintainers <maintainers@tenbin.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "records grants, shares GPUs by published rules, runs jobs")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Tenbin holds credits, GPUs and jobs in one ledger: what is granted, held, used\n and left always adds up. One service, one state folder, one command line.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/packaging/debian/postinst;${PROJECT_SOURCE_DIR}/packaging/debian/prerm;${PROJECT_SOURCE_DIR}/packaging/debian/postrm;${PROJECT_SOURCE_DIR}/packaging/debian/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)

add_test(NAME packaging.checks
         COMMAND ${PROJECT_SOURCE_DIR}/tests/packaging/packaging_test.sh ${PROJECT_BINARY_DIR}
                 $<TARGET_FILE:tenbin>)
set_tests_properties(packaging.checks PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
add_test(NAME packaging.install
         COMMAND ${PROJECT_SOURCE_DIR}/tests/packaging/packaging_test.sh ${PROJECT_BINARY_DIR}
                 $<TARGET_FILE:tenbin> --install)
set_tests_properties(packaging.install PROPERTIES TIMEOUT 600 LABELS long SKIP_RETURN_CODE 77)
